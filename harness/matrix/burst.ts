import type * as z from 'zod';
import { realClock } from '../../kit/clock.ts';
import { withinBudget } from '../../kit/deadline.ts';
import { codeOf, FaultError, messageOf } from '../../kit/errors.ts';
import type { RecordOf } from '../../proofs/evidence.ts';
import {
  collectDetailsSchema,
  type PublishDetails,
  type PublishParams,
  publishDetailsSchema,
  type SubscribeCollectParams,
} from '../../runner/action-schema.ts';
import { BURST_PUBLISH_SLACK_MS, type BurstPlan } from '../../scenarios/scenario.ts';
import type { ControlChannel, RunnerResult } from './control-channel.ts';

const DISPATCH_BUDGET_MS = 15_000;
/** From being told to stop until a subscriber's result is here. */
const STOP_BUDGET_MS = 5_000;
/** For every subscriber to be ready before the first message; who is not is given up. */
const READY_BUDGET_MS = 10_000;

export interface BurstModules {
  readonly nodes: readonly string[];
  readonly channel: Pick<ControlChannel, 'send' | 'call'>;
  readonly delivered: (subscriber: string, delivered: number, planned: number) => void;
}

type BurstRecord = RecordOf<'burst_delivery'> | RecordOf<'subscriber_missing'>;

/**
 * One publisher's burst with a subscriber on every node, the publisher's own included, or on those that the plan names.
 * Every subscriber gets a record: its delivery, or that it could not be heard and why.
 */
export async function runBurst(
  { nodes: fleet, channel, delivered }: BurstModules,
  plan: BurstPlan,
  at: { readonly window: number; readonly scenario: string; readonly seed: number },
  outer: AbortSignal,
): Promise<readonly BurstRecord[]> {
  const nodes = plan.subscribers ?? fleet;
  const fromMs = realClock.nowMs();
  const over = new AbortController();
  const signal = AbortSignal.any([outer, over.signal]);
  const burstId = plan.topic;
  const publishMs = plan.messages * plan.delayMs + BURST_PUBLISH_SLACK_MS;
  const totalMs = publishMs + plan.settleMs;
  const lastCallMs = plan.settleMs + STOP_BUDGET_MS;
  const collections = nodes.map((node) => collect(node));
  const ready = await Promise.allSettled(
    collections.map(({ ready: becomesReady }, index) =>
      withinBudget(`the subscriber on ${nodes[index]}`, READY_BUDGET_MS, () => becomesReady, signal),
    ),
  );
  outer.throwIfAborted();

  const stop = () => stopCollecting(nodes);
  let giveUp: NodeJS.Timeout | undefined;
  try {
    const request = {
      topic: plan.topic,
      burst_id: burstId,
      messages: plan.messages,
      payload_bytes: plan.payloadBytes,
      delay_ms: plan.delayMs,
      seed: at.seed,
    } satisfies PublishParams;
    const result = await channel.call(plan.publisher, 'publish', request, { budgetMs: publishMs, signal });
    const published = detailsOf(result, publishDetailsSchema);
    giveUp = setTimeout(stop, plan.settleMs);
    return await Promise.all(nodes.map((node, index) => deliveryOf(node, index, published)));
  } catch (error) {
    stop();
    throw error;
  } finally {
    clearTimeout(giveUp);
    over.abort(); // ends the waits for those that were given up
  }

  async function deliveryOf(node: string, index: number, published: PublishDetails): Promise<BurstRecord> {
    const place = { window: at.window, scenario: at.scenario };
    try {
      if (ready[index]?.status === 'rejected') throw ready[index].reason;
      const collection = collections[index];
      if (!collection) throw new Error(`no subscriber on ${node}`);
      const result = await withinBudget(
        `the collection of ${node}`,
        lastCallMs,
        () => collection.done,
        signal,
      );
      const details = detailsOf(result, collectDetailsSchema);
      delivered(node, details.delivered, plan.messages);
      return {
        type: 'burst_delivery',
        ...place,
        publisher: plan.publisher,
        subscriber: node,
        topic: plan.topic,
        planned: plan.messages,
        published: published.accepted,
        delivered: details.delivered,
        duplicates: details.duplicates,
        corrupted: details.corrupted,
        latency_ms: details.latency_ms,
        missing_seqs: details.missing_seqs,
        ...noteOf(published),
        span_mono_ms: { from: fromMs, until: realClock.nowMs() },
      };
    } catch (error) {
      outer.throwIfAborted();
      return { type: 'subscriber_missing', ...place, node, why: `${codeOf(error)}: ${messageOf(error)}` };
    }
  }

  /** What came so far becomes the result of whoever still waits; those that are done refuse, which is fine. */
  function stopCollecting(subscribers: readonly string[]): void {
    for (const node of subscribers) {
      channel
        .send(node, 'collect_stop', { burst_id: burstId }, { budgetMs: DISPATCH_BUDGET_MS, signal: outer })
        .catch(() => {});
    }
  }

  function collect(node: string): { readonly ready: Promise<void>; readonly done: Promise<RunnerResult> } {
    const params = {
      topic: plan.topic,
      burst_id: burstId,
      expected: plan.messages,
      max_ms: Math.ceil(totalMs),
      read_delay_ms: plan.delayedReaders?.[node] ?? 0,
    } satisfies SubscribeCollectParams;
    const started = Promise.withResolvers<void>();
    const done = channel.call(node, 'subscribe_collect', params, {
      budgetMs: DISPATCH_BUDGET_MS + totalMs,
      signal,
      onProgress: (result) => {
        if (result.kind === 'collect_ready') started.resolve();
      },
    });
    done.then(() => started.resolve(), started.reject);
    return { ready: started.promise, done };
  }
}

/** Why messages were never published; otherwise the burst would only look smaller. */
function noteOf({ failed, planned, first_error, late_ms_max }: PublishDetails): { readonly note?: string } {
  if (failed === 0) return {};
  const late = `calls at most ${Math.round(late_ms_max)} ms behind the pace`;
  return {
    note: `${failed} of ${planned} publishes failed, the first with: ${first_error ?? 'no reason'}; ${late}`,
  };
}

/** @throws FaultError `RUNNER_ACTION_FAILED` when the runner reports a failure, or details that cannot be read */
function detailsOf<S extends z.ZodType>({ node, outcome, details }: RunnerResult, schema: S): z.infer<S> {
  if (outcome !== 'ok') {
    throw new FaultError(
      'RUNNER_ACTION_FAILED',
      `runner of ${node}: ${outcome.code ?? 'error'}: ${outcome.error}`,
    );
  }
  const parsed = schema.safeParse(details);
  if (parsed.success) return parsed.data;
  throw new FaultError('RUNNER_ACTION_FAILED', `runner of ${node} reports details that cannot be read`, {
    cause: parsed.error,
  });
}
