import { expect, test } from 'vitest';
import { parseInventory } from './inventory.ts';
import { INVENTORY_TEMPLATE } from './inventory-template.ts';
import { recordHostKey } from './record-host-key.ts';

const [OLD, NEW] = [`SHA256:${'o'.repeat(43)}`, `SHA256:${'n'.repeat(43)}`];
const record = (text: string, name: string) => recordHostKey(text, 'fleet.toml', name, NEW);

test.each(['alpha', 'beta', 'gamma', 'bastion'])('pins %s by one new line, and touches no other', (name) => {
  const edited = record(INVENTORY_TEMPLATE, name);
  const lines = edited.split('\n');
  const added = lines.indexOf(`host_key = "${NEW}"`);
  expect(lines.toSpliced(added, 1).join('\n')).toBe(INVENTORY_TEMPLATE);
  const { hosts, jumps } = parseInventory(edited, 'fleet.toml');
  const pinned = [...hosts.map(({ ssh }) => ssh), ...jumps].filter(({ hostKey }) => hostKey === NEW);
  expect(pinned.map((target) => target.name)).toEqual([name]);
});

test('replaces a pinned key where it stands, with its comment', () => {
  const text = INVENTORY_TEMPLATE.replace('# host_key = "SHA256:…" ', `host_key = "${OLD}"`);
  expect(record(text, 'alpha')).toBe(text.replace(OLD, NEW));
});

test('keeps the line ends of the file', () => {
  const edited = record(INVENTORY_TEMPLATE.replaceAll('\n', '\r\n'), 'beta');
  expect(edited).toBe(edited.replaceAll('\r\n', '\n').replaceAll('\n', '\r\n'));
});

test('says what to write by hand when a line cannot be put in', () => {
  const text = `format = "meshproof.inventory.v1"\nhost = [{ name = "a", address = "192.0.2.1", agent = true }]\n`;
  expect(() => record(text, 'a')).toThrow(
    expect.objectContaining({
      code: 'INVENTORY_NOT_EDITED',
      message: expect.stringContaining(`host_key = "${NEW}"`),
    }),
  );
});
