import { describe, expect, it } from 'vitest';
import type { Safety } from '../../proofs/safety-schema.ts';
import { checkSafety } from './check-safety.ts';
import type { RunOptions, ScenarioRequest } from './run-options.ts';

const SAFE: Safety = { environment: 'local', allowed: ['partition', 'restart'], waived: [], stop_on: [] };
const PAIR: ScenarioRequest = { name: 'partition_recovery', options: { pair: ['e', 'f'] } };
const STORM: ScenarioRequest = { name: 'restart_storm', options: {} };

function check(scenarios: readonly ScenarioRequest[], safety?: Safety): void {
  const options: RunOptions = {
    command: [],
    nodes: ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ({ name, region: null })),
    anchor: 'a',
    control: 'loopback',
    expectPath: 'raw_quic_acked',
    scenarios,
    soak: null,
    gate: 'g',
    proofDir: null,
    seed: 1,
    discoverMs: 1,
    telemetryEveryMs: 1,
    ...(safety && { safety }),
  };
  checkSafety(options);
}

describe('harm asked for before a run', () => {
  it('is let through with leave and a stop condition', () => {
    expect(() => check([PAIR, STORM], SAFE)).not.toThrow();
    expect(() => check([{ name: 'baseline', options: {} }])).not.toThrow();
  });

  it.for<readonly [string, ScenarioRequest, Safety | undefined, RegExp]>([
    [
      'without any leave',
      STORM,
      undefined,
      /restart_storm does harm \(restart\); allow it with --allow-restart-storm/,
    ],
    [
      'with leave for something else',
      PAIR,
      { ...SAFE, allowed: ['restart'] },
      /allow it with --allow-partition/,
    ],
    ['without a stop condition', PAIR, { ...SAFE, stop_on: null }, /--stop-on: partition_recovery does harm/],
    [
      'to more than a third',
      { ...STORM, options: { count: 3 } },
      SAFE,
      /3 of 6 nodes.*--waive-third would allow it/,
    ],
    [
      'by an even split',
      { ...PAIR, options: { side: ['d', 'e', 'f'] } },
      SAFE,
      /3 of 6 nodes.*--waive-third would allow it/,
    ],
    [
      'to a stranger',
      { ...PAIR, options: { pair: ['e', 'x'] } },
      SAFE,
      /--partition-pair: "x" is not one of a, b/,
    ],
    [
      'to the anchor',
      { ...PAIR, options: { pair: ['a', 'f'] } },
      SAFE,
      /--partition-pair: "a" is the anchor/,
    ],
    ['to nobody', { ...PAIR, options: {} }, SAFE, /--partition-pair: partition_recovery needs two nodes/],
    ['to one node twice', { ...PAIR, options: { pair: ['f', 'f'] } }, SAFE, /names a node twice/],
  ])('%s is refused', ([, scenario, safety, message]) => {
    expect(() => check([scenario], safety)).toThrow(message);
  });
});
