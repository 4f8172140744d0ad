import { expect, it } from 'vitest';
import { ownTables } from './nft-read.ts';

const NAME = 'meshproof_20261121T120000Z-abc123_f1_0';
const at = { family: 'inet', table: NAME };

function ruleset(...objects: readonly object[]): string {
  return JSON.stringify({
    nftables: [{ metainfo: { version: '1.0.6', json_schema_version: 1 } }, ...objects],
  });
}

const TABLE = { table: { family: 'inet', name: NAME, handle: 2 } };
const EMPTY_SET = { set: { ...at, name: 'peers4', type: 'ipv4_addr', handle: 1, flags: ['timeout'] } };
const FULL_SET = {
  set: { ...EMPTY_SET.set, elem: [{ elem: { val: '192.0.2.7', timeout: 15, expires: 14 } }] },
};

function rule(chain: string, packets: number): object {
  const expr = [
    { match: { op: '==', right: '@peers4' } },
    { counter: { packets, bytes: 10 } },
    { drop: null },
  ];
  return { rule: { ...at, chain, handle: 3, expr } };
}

it('reads the lease, the kind and the packets of both families from a table of ours', () => {
  expect(ownTables(ruleset(TABLE, FULL_SET, rule('arriving', 3), rule('arriving', 4)))).toEqual([
    {
      family: 'inet',
      name: NAME,
      lease: { run_id: '20261121T120000Z-abc123', lease_id: 'f1_0' },
      kind: 'cut',
      inForce: true,
      matchedPackets: 7,
    },
  ]);
});

it('calls a table whose addresses have expired not in force', () => {
  expect(ownTables(ruleset(TABLE, EMPTY_SET, rule('leaving', 0)))).toMatchObject([
    { kind: 'shape', inForce: false },
  ]);
});

it('finds tables of other versions, whatever their family and layout', () => {
  const old = { table: { family: 'ip', name: 'meshproof' } };
  const rules = { rule: { family: 'ip', table: 'meshproof', chain: 'input', expr: [{ drop: null }] } };
  expect(ownTables(ruleset(old, rules))).toMatchObject([
    { family: 'ip', lease: null, kind: 'unknown', inForce: true },
  ]);
});

it('leaves foreign tables out, also those whose names begin alike', () => {
  const names = ['filter', 'meshproofing', 'x_meshproof_a_b'];
  expect(ownTables(ruleset(...names.map((name) => ({ table: { family: 'inet', name } }))))).toEqual([]);
});

it.each(['', '{}', '{"nftables":3}', 'Error'])('does not take %j for a clean host', (json) => {
  expect(() => ownTables(json)).toThrow('not a ruleset');
});
