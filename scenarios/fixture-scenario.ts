import type { VirtualClock } from '../kit/clock.ts';
import { until } from '../kit/deadline.ts';
import { sha256Hex } from '../kit/hash.ts';
import type { PairOutcome } from '../proofs/evidence.ts';
import type { Scenario, ScenarioContext } from './scenario.ts';

const STEP_MS = 500;
const MOST_VIRTUAL_MS = 3_600_000;

/** Test-only: runs the scenario to its end, the clock moving by itself. */
export async function runToItsEnd(
  scenario: Scenario,
  options: unknown,
  context: ScenarioContext,
  clock: VirtualClock,
): Promise<void> {
  let state: 'running' | 'over' = 'running';
  const work = scenario.run(context, options).finally(() => {
    state = 'over';
  });
  work.catch(() => {}); // awaited below
  const step = async () => {
    await clock.advance(STEP_MS);
    if (clock.nowMs() > MOST_VIRTUAL_MS) throw new Error(`${scenario.name} does not end`);
    return state === 'over' ? true : undefined;
  };
  await until('the scenario to end', step, { budgetMs: 15_000, everyMs: 0 });
  await work;
}

/** Test-only: what became of one direct message. */
export function outcomeOf(
  scenario: string,
  [from, to]: readonly [string, string],
  fate: 'delivered' | 'lost',
): PairOutcome {
  const isWell = fate === 'delivered';
  return {
    type: 'pair_outcome',
    window: 1,
    scenario,
    from,
    to,
    request_id: `${from} ${to}`,
    sent: true,
    accepted: isWell,
    acked: isWell,
    received: isWell,
    duplicates: 0,
    attempts: isWell ? 1 : null,
    path: isWell ? 'raw_quic_acked' : null,
    latency_ms: isWell ? 1 : null,
    payload_sha256: sha256Hex(''),
    received_sha256: isWell ? sha256Hex('') : null,
    sender_verified: isWell ? true : null,
    failure: isWell ? null : { class: 'send_no_result', detail: 'no result' },
  };
}
