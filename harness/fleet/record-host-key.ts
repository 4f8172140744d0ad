import { isDeepStrictEqual } from 'node:util';
import { UsageError } from '../../kit/errors.ts';
import { parseToml } from '../../kit/toml.ts';
import { type InventoryFile, inventoryFileSchema } from './inventory-schema.ts';

const TABLE = /^\s*\[/;
const NAME = /^\s*name\s*=\s*(?:"([^"]*)"|'([^']*)')\s*(?:#.*)?$/;
const HOST_KEY = /^(\s*)host_key\s*=\s*(?:"[^"]*"|'[^']*')(\s*#.*)?$/;

/**
 * The text of an inventory with `fingerprint` pinned for `name`, and nothing else changed: comments and order stay.
 * @throws UsageError `INVENTORY_NOT_EDITED` when the text is laid out in a way that a line cannot be put into
 */
export function recordHostKey(text: string, source: string, name: string, fingerprint: string): string {
  const lines = text.split('\n');
  const nameAt = lines.findIndex((line) => {
    const match = NAME.exec(line);
    return match !== null && (match[1] ?? match[2]) === name;
  });
  const edited = nameAt < 0 ? text : withKey(lines, nameAt, fingerprint).join('\n');
  if (pinsOnly(text, edited, name, fingerprint)) return edited;
  throw new UsageError(
    'INVENTORY_NOT_EDITED',
    `${source}: the entry of ${name} is not one that can be edited here: put host_key = "${fingerprint}" there by hand`,
    { details: { file: source, host: name, host_key: fingerprint } },
  );
}

function withKey(lines: readonly string[], nameAt: number, fingerprint: string): readonly string[] {
  const start = lines.findLastIndex((line, at) => at < nameAt && TABLE.test(line)) + 1;
  const next = lines.findIndex((line, at) => at > nameAt && TABLE.test(line));
  const end = next < 0 ? lines.length : next;
  const keyAt = lines.findIndex((line, at) => at >= start && at < end && HOST_KEY.test(line));
  if (keyAt < 0) {
    const eol = lines[nameAt]?.endsWith('\r') ? '\r' : '';
    return lines.toSpliced(nameAt + 1, 0, `host_key = "${fingerprint}"${eol}`);
  }
  const changed = lines[keyAt]?.replace(HOST_KEY, (_line, indent: string, comment: string | undefined) => {
    return `${indent}host_key = "${fingerprint}"${comment ?? ''}`;
  });
  return lines.with(keyAt, changed ?? '');
}

/** Whether the edit did what was meant and nothing beside it, read back as an inventory. */
function pinsOnly(before: string, after: string, name: string, fingerprint: string): boolean {
  const meant = withPin(parseToml(before, 'before', inventoryFileSchema), name, fingerprint);
  try {
    return isDeepStrictEqual(parseToml(after, 'after', inventoryFileSchema), meant);
  } catch {
    return false; // the line ended up where it does not belong
  }
}

function withPin(file: InventoryFile, name: string, fingerprint: string): InventoryFile {
  const pin = <T extends { readonly name: string }>(entry: T) =>
    entry.name === name ? { ...entry, host_key: fingerprint } : entry;
  return { ...file, host: file.host.map(pin), jump: file.jump.map(pin) };
}
