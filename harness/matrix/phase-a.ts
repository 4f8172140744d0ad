import { randomBytes } from 'node:crypto';
import pLimit from 'p-limit';
import { realClock } from '../../kit/clock.ts';
import { Deadline } from '../../kit/deadline.ts';
import { codeOf, messageOf } from '../../kit/errors.ts';
import { sha256Hex } from '../../kit/hash.ts';
import type { PairOutcome } from '../../proofs/evidence.ts';
import type { Plan, PlannedPair } from '../../proofs/plan-schema.ts';
import { receivedDmDetailsSchema, type SendDmParams, sendDetailsSchema } from '../../runner/action-schema.ts';
import type { ControlChannel, RunnerResult } from './control-channel.ts';
import { PairLedger } from './pair-ledger.ts';

/** Commands under way at once: enough to keep a wide mesh busy, few enough to keep a runner's queue short. */
const CONCURRENT_COMMANDS = 16;
// Budgets nest: dispatch 15 s > runner 12 s > node acknowledgement 8 s.
const DISPATCH_BUDGET_MS = 15_000;
const RUNNER_BUDGET_MS = 12_000;
const ACK_BUDGET_MS = 8_000;
const POLL_MS = 10;
/** Listening on for second arrivals; longer where a message was tried again or answered late. */
const LINGER_MS = { clean: 100, doubtful: 500 } as const;

/** Who each node is, as identified before the first packet. */
export interface Identity {
  readonly agentId: string;
  readonly machineId: string;
}

export interface PhaseAModules {
  readonly plan: Pick<Plan, 'pairs' | 'expect_path' | 'anchor'>;
  readonly identities: ReadonlyMap<string, Identity>;
  readonly channel: ControlChannel;
  /** Told after each result; the list is made only when asked for. */
  readonly delivered: (pairs: () => readonly PlannedPair[]) => void;
}

/** Phase A: one acknowledged direct message over every directed pair of the plan. See `sendPairs`. */
export function runPhaseA(
  modules: PhaseAModules,
  at: { readonly window: number; readonly scenario: string; readonly settleMs: number },
  signal: AbortSignal,
): Promise<readonly PairOutcome[]> {
  return sendPairs(modules, modules.plan.pairs, at, signal);
}

/**
 * One acknowledged direct message over each of `pairs`, all at once within a limit. Ends as soon as both ends of every
 * pair have reported and a double had time to come, or `settleMs` after the last command. Every pair has an outcome,
 * which carries `label` unless that is left out.
 */
export async function sendPairs(
  { plan, identities, channel, delivered }: PhaseAModules,
  pairs: readonly PlannedPair[],
  {
    window,
    scenario,
    settleMs,
    label,
  }: {
    readonly window: number;
    readonly scenario: string;
    readonly settleMs: number;
    readonly label?: string;
  },
  signal: AbortSignal,
): Promise<readonly PairOutcome[]> {
  const ledger = new PairLedger(plan.expect_path);
  const stop = channel.onResult((result) => {
    if (takeResult(ledger, result, identities)) delivered(() => ledger.delivered());
  });
  try {
    const limit = pLimit(CONCURRENT_COMMANDS);
    const anchorAgent = agentOf(identities, plan.anchor);
    await Promise.all(
      pairs.map((pair) => {
        // Unguessable, so that a stranger cannot report in a runner's place.
        const requestId = `w${window}-${randomBytes(16).toString('hex')}`;
        const payload = Buffer.from(`matrix:${requestId}`);
        ledger.expect(pair, requestId, sha256Hex(payload));
        const [from, to] = pair;
        return limit(async () => {
          ledger.commandAsked(requestId, realClock.nowMs());
          try {
            await channel.send(
              from,
              'send_dm',
              {
                recipient_aid: agentOf(identities, to),
                payload_b64: payload.toString('base64'),
                request_id: requestId,
                digest_marker: `${from.slice(0, 3)}-${to.slice(0, 3)}`,
                anchor_aid: anchorAgent,
                prefer_raw_quic_if_connected: true,
                raw_quic_receive_ack_ms: ACK_BUDGET_MS,
                budget_ms: RUNNER_BUDGET_MS,
                stop_fallback_on_raw_error: true,
              } satisfies SendDmParams,
              { budgetMs: DISPATCH_BUDGET_MS, signal },
            );
            ledger.commandDispatched(requestId);
          } catch (error) {
            signal.throwIfAborted();
            ledger.commandFailed(requestId, `${codeOf(error)}: ${messageOf(error)}`, realClock.nowMs());
          }
        });
      }),
    );
    const deadline = Deadline.in(settleMs);
    while (!ledger.isComplete(realClock.nowMs()) && !deadline.hasPassed())
      await realClock.sleep(POLL_MS, signal);
    const lingerMs = ledger.mayBeDoubled() ? LINGER_MS.doubtful : LINGER_MS.clean;
    await realClock.sleep(deadline.within(lingerMs).remainingMs(), signal);
    const outcomes = ledger.outcomes(window, scenario, realClock.nowMs());
    return label === undefined ? outcomes : outcomes.map((outcome) => ({ ...outcome, label }));
  } finally {
    stop();
  }
}

/** Whether the result was one of the matrix. What cannot be read counts as not reported. */
function takeResult(
  ledger: PairLedger,
  result: RunnerResult,
  identities: ReadonlyMap<string, Identity>,
): boolean {
  const requestId = result.request_id;
  if (requestId === null) return false;
  if (result.kind === 'send_result') {
    const details = sendDetailsSchema.safeParse(result.details);
    const { path, attempts, wall_clock_ms } = details.data ?? {
      path: null,
      attempts: null,
      wall_clock_ms: null,
    };
    const error =
      result.outcome === 'ok' ? null : `${result.outcome.code ?? 'error'}: ${result.outcome.error}`;
    const report = { error, path, attempts, latencyMs: wall_clock_ms };
    ledger.sendReported(requestId, result.node, report, realClock.nowMs());
    return true;
  }
  if (result.kind === 'received_dm') {
    const details = receivedDmDetailsSchema.safeParse(result.details);
    if (!details.success) return false;
    const { sender, machine_id, verified, payload_sha256 } = details.data;
    const from = ledger.sourceOf(requestId);
    const planned = from === undefined ? undefined : identities.get(from);
    ledger.receiptReported(requestId, result.node, {
      sha256: payload_sha256,
      senderVerified: verified && planned?.agentId === sender && planned.machineId === machine_id,
    });
    return true;
  }
  return false;
}

function agentOf(identities: ReadonlyMap<string, Identity>, node: string): string {
  const identity = identities.get(node);
  if (!identity) throw new Error(`${node} was never identified`);
  return identity.agentId;
}
