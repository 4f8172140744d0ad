import { describe, expect, it } from 'vitest';
import { realClock } from '../../kit/clock.ts';
import { FaultError } from '../../kit/errors.ts';
import type { EvidenceRecord } from '../../proofs/evidence.ts';
import { FaultController } from '../faults/fault-controller.ts';
import { FixtureDriver } from '../faults/fixture-driver.ts';
import type { ControlChannel } from '../matrix/control-channel.ts';
import { ControlError } from '../matrix/control-error.ts';
import { fixturePlan } from './fixture-plan.ts';
import { RunTelemetry } from './run-telemetry.ts';
import { runWindow } from './run-window.ts';

const PLAN = fixturePlan({ scenarios: [{ name: 'fanout_burst', options: { settle_secs: 0.1 } }] });

/** What became of a scenario that is planned alone, with that control channel. */
async function outcomeWith(plan: typeof PLAN, calls: Pick<ControlChannel, 'send' | 'call'>) {
  const records: EvidenceRecord[] = [];
  const record = async (entry: EvidenceRecord) => {
    records.push(entry);
  };
  const channel: ControlChannel = {
    ...calls,
    onResult: () => () => {},
    tally: () => new Map(),
    close: async () => {},
  };
  const progress = { show: () => {}, close: () => {} };
  const ledger = { record, storeDocument: () => Promise.reject(new Error('no document')) };
  const telemetry = new RunTelemetry({ everyMs: 1_000, deadlineMs: 800 }, { hosts: [], ledger, progress });
  const identities = new Map(
    plan.roster.map(({ name }) => [name, { agentId: `agent ${name}`, machineId: name }]),
  );
  const driver = new FixtureDriver();
  const faults = new FaultController({
    driver,
    fleet: { anchor: 'a', nodes: ['a', 'b'] },
    safety: plan.safety,
    record,
    progress,
    clock: realClock,
    signal: new AbortController().signal,
    bootIdOf: driver.bootIdOf,
  });
  await runWindow(
    { plan, hosts: [], identities, channel, telemetry, faults, record, progress, enter: () => {} },
    1,
    new AbortController().signal,
  );
  return records.find((entry) => entry.type === 'scenario_finished');
}

/** What became of a burst whose every call ends with `error`. */
const outcomeOf = (error: Error) =>
  outcomeWith(PLAN, { send: () => Promise.reject(error), call: () => Promise.reject(error) });

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

it('ends with the scenario whatever that left under way', async () => {
  const given: AbortSignal[] = [];
  const send: ControlChannel['send'] = async (_node, _action, _params, { signal }) => {
    if (signal) given.push(signal);
    return 'taken';
  };
  const baseline = fixturePlan({ scenarios: [{ name: 'baseline', options: { settle_secs: 0.1 } }] });
  expect(await outcomeWith(baseline, { send, call: () => new Promise(() => {}) })).toMatchObject({
    outcome: 'ran',
  });
  expect(given.length).toBeGreaterThan(0);
  expect(given.every(({ aborted }) => aborted)).toBe(true);
});
