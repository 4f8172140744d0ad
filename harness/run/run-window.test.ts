import { describe, expect, it } from 'vitest';
import { realClock } from '../../kit/clock.ts';
import { FaultError } from '../../kit/errors.ts';
import type { EvidenceRecord } from '../../proofs/evidence.ts';
import { FaultController } from '../faults/fault-controller.ts';
import { FixtureDriver } from '../faults/fixture-driver.ts';
import type { ControlChannel } from '../matrix/control-channel.ts';
import { ControlError } from '../matrix/control-error.ts';
import { makePlan } from './make-plan.ts';
import { RunTelemetry } from './run-telemetry.ts';
import { runWindow } from './run-window.ts';

const PLAN = makePlan(
  {
    command: [],
    nodes: ['a', 'b'].map((name) => ({ name, region: null })),
    anchor: 'a',
    control: 'loopback',
    expectPath: 'raw_quic_acked',
    scenarios: [{ name: 'fanout_burst', options: { settle_secs: 0.1 } }],
    soak: null,
    gate: 'g',
    proofDir: null,
    seed: 1,
    discoverMs: 1,
    telemetryEveryMs: 1_000,
  },
  {
    runId: 'r',
    createdWallMs: 0,
    seed: 1,
    network: 'n',
    gate: { name: 'g', sha256: 'a'.repeat(64) },
    bundleSha256: 'b'.repeat(64),
  },
);

/** What became of a burst whose every call ends with `error`. */
async function outcomeOf(error: Error) {
  const records: EvidenceRecord[] = [];
  const record = async (entry: EvidenceRecord) => {
    records.push(entry);
  };
  const channel: ControlChannel = {
    send: () => Promise.reject(error),
    call: () => Promise.reject(error),
    onResult: () => () => {},
    tally: () => new Map(),
    close: async () => {},
  };
  const progress = { show: () => {}, close: () => {} };
  const ledger = { record, storeDocument: () => Promise.reject(new Error('no document')) };
  const telemetry = new RunTelemetry({ everyMs: 1_000, deadlineMs: 800 }, { hosts: [], ledger, progress });
  const identities = new Map();
  const driver = new FixtureDriver();
  const faults = new FaultController({
    driver,
    fleet: { anchor: 'a', nodes: ['a', 'b'] },
    safety: PLAN.safety,
    record,
    progress,
    clock: realClock,
    signal: new AbortController().signal,
    bootIdOf: driver.bootIdOf,
  });
  await runWindow(
    { plan: PLAN, hosts: [], identities, channel, telemetry, faults, record, progress, enter: () => {} },
    1,
    new AbortController().signal,
  );
  return records.find((entry) => entry.type === 'scenario_finished');
}

describe('a scenario that cannot be carried out', () => {
  it.for([
    [
      'the control plane',
      new ControlError('RESULT_TIMEOUT', 'a', 'no result'),
      'RESULT_TIMEOUT: a: no result',
    ],
    ['the machine', new FaultError('DISK_FULL', 'no space left'), 'DISK_FULL: no space left'],
  ] as const)('because of %s did not run, with the reason', async ([, error, why]) => {
    expect(await outcomeOf(error)).toMatchObject({ outcome: 'not_run', why });
  });

  it('for another reason failed', async () => {
    expect(await outcomeOf(new TypeError('x'))).toMatchObject({ outcome: 'failed', why: 'UNKNOWN: x' });
  });
});
