import { describe, expect, it } from 'vitest';
import { UsageError } from '../../kit/errors.ts';
import { makePlan } from './make-plan.ts';
import type { RunOptions } from './run-options.ts';

const OPTIONS: RunOptions = {
  command: ['run'],
  nodes: ['nyc', 'sfo', 'sydney'].map((name) => ({ name, region: null })),
  anchor: 'nyc',
  control: 'loopback',
  expectPath: 'raw_quic_acked',
  scenarios: [{ name: 'baseline', options: {} }],
  soak: { durationMs: 3_600_000, intervalMs: 600_000 },
  gate: 'broad-launch',
  proofDir: null,
  seed: 1,
  discoverMs: 1,
  telemetryEveryMs: 5_000,
};
const FACTS = {
  runId: 'r',
  createdWallMs: 0,
  seed: 1,
  network: 'test',
  gate: { name: 'broad-launch', sha256: 'a'.repeat(64) },
  bundleSha256: 'b'.repeat(64),
};

describe('the plan of a run', () => {
  it('holds every directed pair of the roster and every window of the soak', () => {
    const plan = makePlan(OPTIONS, FACTS);
    expect(plan.pairs).toEqual([
      ['nyc', 'sfo'],
      ['nyc', 'sydney'],
      ['sfo', 'nyc'],
      ['sfo', 'sydney'],
      ['sydney', 'nyc'],
      ['sydney', 'sfo'],
    ]);
    expect(plan.windows).toEqual({ count: 6, interval_ms: 600_000 });
  });

  it('fills in the defaults of every scenario, so that they are sealed too', () => {
    expect(makePlan(OPTIONS, FACTS).scenarios).toEqual([
      { name: 'baseline', destructive: null, options: { settle_secs: 60 } },
    ]);
  });

  it.for([
    ['an unknown anchor', { ...OPTIONS, anchor: 'oslo' }, /--anchor: "oslo".*nyc, sfo, sydney/],
    ['a node named twice', { ...OPTIONS, nodes: [...OPTIONS.nodes, { name: 'sfo', region: null }] }, /"sfo"/],
    ['an unknown scenario', { ...OPTIONS, scenarios: [{ name: 'x', options: {} }] }, /"x" is not a scenario/],
    [
      'a bad option',
      { ...OPTIONS, scenarios: [{ name: 'baseline', options: { settle_secs: -1 } }] },
      /settle_secs is -1/,
    ],
  ] as const)('refuses %s, naming it', ([, options, message]) => {
    expect(() => makePlan(options, FACTS)).toThrow(UsageError);
    expect(() => makePlan(options, FACTS)).toThrow(message);
  });
});
