import { BoundedMap } from '../../kit/bounded.ts';
import type { Clock } from '../../kit/clock.ts';
import { Deadline } from '../../kit/deadline.ts';
import { action } from '../action.ts';
import { type PublishDetails, publishParamsSchema } from '../action-schema.ts';
import { encodeBurstPayload, smallestBurstPayload } from '../burst-payload.ts';
import type { NodeApi } from '../node-api.ts';
import { nodeFailureOf } from '../node-failure.ts';

const IN_FLIGHT_MAX = 16; // keeps the pace while single calls are slow
const CALL_BUDGET_MS = 10_000;
const OVERTIME_MS = 30_000; // beyond the planned pace; what is left then has failed
const FAILURE_CODES_MAX = 16;

/**
 * Publishes a burst on a fixed grid of `delay_ms`: a slow call delays no other until 16 are in flight. Each message
 * describes itself (`burst-payload.ts`), so that subscribers can tell loss, doubling and damage.
 */
export function publish({ api, clock }: { readonly api: () => NodeApi; readonly clock: Clock }) {
  return action(publishParamsSchema, async (params, call) => {
    const { topic, burst_id, messages, payload_bytes, delay_ms, seed } = params;
    const smallest = smallestBurstPayload(burst_id);
    if (payload_bytes < smallest) {
      const error = `payload_bytes: ${payload_bytes} is less than the ${smallest} that the header of burst ${burst_id} takes`;
      call.report('error', {}, { outcome: { error, code: 'PARAMS_INVALID' } });
      return;
    }
    const tally = new PublishTally();
    const startedMs = clock.nowMs();
    const deadline = Deadline.in(messages * delay_ms + OVERTIME_MS, clock);
    const inFlight = new Set<Promise<void>>();
    let lateMsMax = 0;
    const publishOne = async (payload: Uint8Array, timeoutMs: number) =>
      api().publish(topic, payload, { signal: call.signal, timeoutMs });
    for (let seq = 0; seq < messages; seq += 1) {
      const dueMs = startedMs + seq * delay_ms;
      const earlyMs = dueMs - clock.nowMs();
      if (earlyMs > 0) await clock.sleep(earlyMs, call.signal);
      while (inFlight.size >= IN_FLIGHT_MAX) await Promise.race(inFlight);
      call.signal.throwIfAborted();
      if (deadline.hasPassed()) {
        tally.failed('DEADLINE_EXCEEDED', 'the burst was not out in time', messages - seq);
        break;
      }
      lateMsMax = Math.max(lateMsMax, clock.nowMs() - dueMs);
      const sentUnixMs = Math.round(clock.wallMs());
      const payload = encodeBurstPayload(
        { burstId: burst_id, seq, total: messages, sentUnixMs, seed },
        payload_bytes,
      );
      const timeoutMs = Math.min(CALL_BUDGET_MS, deadline.remainingMs());
      const one = publishOne(payload, timeoutMs)
        .then(
          () => tally.accepted(),
          (error: unknown) => {
            const { code, message } = nodeFailureOf(error);
            tally.failed(code, message, 1);
          },
        )
        .finally(() => inFlight.delete(one));
      inFlight.add(one);
    }
    await Promise.all(inFlight);
    const details: PublishDetails = {
      burst_id,
      planned: messages,
      ...tally.details(),
      publish_secs: (clock.nowMs() - startedMs) / 1_000,
      late_ms_max: lateMsMax,
    };
    call.report('publish_result', details);
  });
}

class PublishTally {
  readonly #failures = new BoundedMap<string, number>({ max: FAILURE_CODES_MAX });
  #accepted = 0;
  #failed = 0;
  #firstError: string | null = null;
  #lastError: string | null = null;

  accepted(): void {
    this.#accepted += 1;
  }

  failed(code: string, message: string, times: number): void {
    this.#failed += times;
    this.#failures.set(code, (this.#failures.get(code) ?? 0) + times);
    this.#firstError ??= `${code}: ${message}`;
    this.#lastError = `${code}: ${message}`;
  }

  details() {
    return {
      accepted: this.#accepted,
      failed: this.#failed,
      failures: Object.fromEntries(this.#failures.entries()),
      first_error: this.#firstError,
      last_error: this.#lastError,
    };
  }
}
