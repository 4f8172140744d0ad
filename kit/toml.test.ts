import { expect, test } from 'vitest';
import * as z from 'zod';
import { parseToml } from './toml.ts';

const schema = z.strictObject({
  port: z.int().min(1),
  peer: z.strictObject({ name: z.string() }).optional(),
});
const parse = (text: string) => parseToml(text, 'node.toml', schema);

test('a document that fits is given as parsed', () => {
  expect(parse('port = 7\n[peer]\nname = "a"')).toEqual({ port: 7, peer: { name: 'a' } });
});

test('a syntax error names file, line and column', () => {
  expect(() => parse('port = 1\nport = = 2')).toThrow(/^node\.toml:2:\d+: /);
  expect(() => parse('port = = 2')).toThrow(expect.objectContaining({ code: 'TOML_SYNTAX' }));
});

test.each([
  ['port = "x"', 'node.toml: port is "x": '],
  ['', 'node.toml: port is missing: '],
  ['port = 1\n[peer]\nname = 3', 'node.toml: peer.name is 3: '],
  ['port = 1\nprot = 2', 'node.toml: prot: is not a known key'],
  ['port = 1\n[peer]\nname = "a"\nnick = "b"', 'node.toml: peer.nick: is not a known key'],
])('%j is refused with file, field and value', (text, start) => {
  expect(() => parse(text)).toThrow(
    expect.objectContaining({ code: 'TOML_VALUE', message: expect.stringContaining(start) }),
  );
});
