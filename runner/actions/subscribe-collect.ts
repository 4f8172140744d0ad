import { BoundedMap } from '../../kit/bounded.ts';
import type { Clock } from '../../kit/clock.ts';
import { until } from '../../kit/deadline.ts';
import { type Action, action } from '../action.ts';
import {
  type CollectDetails,
  collectStopParamsSchema,
  subscribeCollectParamsSchema,
} from '../action-schema.ts';
import { Collection } from '../collection.ts';
import type { TopicDesk } from '../topic-desk.ts';

const COLLECTIONS_MAX = 64;
const ATTACH_BUDGET_MS = 5_000;

interface CollectModules {
  readonly topics: TopicDesk;
  readonly clock: Clock;
  readonly eventsAttached: () => boolean;
  /** Stops reading from the node's event stream for so many ms. */
  readonly holdEvents: (ms: number) => void;
}

/**
 * `subscribe_collect` subscribes, says `collect_ready`, and collects one burst until it is whole, its time is over or
 * `collect_stop` names it; then it says what came.
 */
export function subscribeCollect({ topics, clock, eventsAttached, holdEvents }: CollectModules): {
  readonly subscribe_collect: Action;
  readonly collect_stop: Action;
} {
  const stopByBurst = new BoundedMap<string, () => void>({ max: COLLECTIONS_MAX });

  const collect = action(subscribeCollectParamsSchema, async (params, call) => {
    const { topic, burst_id } = params;
    const refuse = (code: string, error: string) => call.report('error', {}, { outcome: { error, code } });
    if (stopByBurst.has(burst_id))
      return refuse('COLLECT_RUNNING', `burst ${burst_id} is already being collected`);
    if (stopByBurst.size >= COLLECTIONS_MAX) {
      return refuse('COLLECT_LIMIT', `${COLLECTIONS_MAX} bursts are already being collected`);
    }
    const collection = new Collection(burst_id, params.expected);
    const over = Promise.withResolvers<CollectDetails['ended_by']>();
    const timers: NodeJS.Timeout[] = [];
    let resubscribed = 0;
    let readDelay: 'due' | 'done' = params.read_delay_ms > 0 ? 'due' : 'done';
    stopByBurst.set(burst_id, () => over.resolve('stopped'));
    const onAbort = () => over.reject(call.signal.reason);
    call.signal.addEventListener('abort', onAbort, { once: true });
    over.promise.catch(() => {}); // awaited below unless the subscription fails first
    try {
      await until('the event stream attached', () => eventsAttached() || undefined, {
        budgetMs: ATTACH_BUDGET_MS,
        signal: call.signal,
      });
      const leave = await topics.follow(
        topic,
        {
          onMessage({ payload, verified }) {
            if (readDelay === 'due') {
              readDelay = 'done';
              holdEvents(params.read_delay_ms);
            }
            const wasComplete = collection.isComplete;
            collection.take({ payload: Buffer.from(payload, 'base64'), verified }, clock.wallMs());
            if (!wasComplete && collection.isComplete)
              timers.push(setTimeout(() => over.resolve('complete'), params.linger_ms));
          },
          onResubscribed() {
            resubscribed += 1;
          },
        },
        call.signal,
      );
      const readyMs = clock.nowMs();
      timers.push(setTimeout(() => over.resolve('deadline'), params.max_ms));
      call.report('collect_ready', { burst_id, topic });
      try {
        const endedBy = await over.promise;
        const details: CollectDetails = {
          burst_id,
          topic,
          ended_by: collection.isComplete ? 'complete' : endedBy,
          ...collection.summary(),
          resubscribed,
          collect_ms: clock.nowMs() - readyMs,
        };
        call.report('subscribe_collect_result', details);
      } finally {
        await leave();
      }
    } finally {
      for (const timer of timers) clearTimeout(timer);
      call.signal.removeEventListener('abort', onAbort);
      stopByBurst.delete(burst_id);
    }
  });

  const stop = action(collectStopParamsSchema, ({ burst_id }, call) => {
    const end = stopByBurst.get(burst_id);
    if (!end) {
      const error = `burst ${burst_id} is not being collected`;
      call.report('error', {}, { outcome: { error, code: 'COLLECT_UNKNOWN' } });
      return;
    }
    end();
    call.report('ack', { burst_id });
  });

  return { subscribe_collect: collect, collect_stop: stop };
}
