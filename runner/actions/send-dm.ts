import type { Clock } from '../../kit/clock.ts';
import { Deadline } from '../../kit/deadline.ts';
import { sha256Hex } from '../../kit/hash.ts';
import type { DirectSendBody } from '../../node/api/schema/direct-send.ts';
import { action } from '../action.ts';
import { type SendDetails, sendDmParamsSchema } from '../action-schema.ts';
import { decodeDm, encodeHopDm, hasTestPrefix } from '../dm-frames.ts';
import type { NodeApi } from '../node-api.ts';
import { type NodeFailure, nodeFailureOf } from '../node-failure.ts';

const BACK_OFF_MS = 1_000; // × attempt
const API_SHARE_MS = 500; // what the call itself may take beside the node's wait for the acknowledgement
const NODE_ACK_MIN_MS = 100;

/** Sends one direct message, in one API call unless more are asked for, and tells every try that it took. */
export function sendDm({ api, clock }: { readonly api: () => NodeApi; readonly clock: Clock }) {
  return action(sendDmParamsSchema, async (params, call) => {
    const given = Buffer.from(params.payload_b64, 'base64');
    const payload = hasTestPrefix(given)
      ? given
      : encodeHopDm({
          requestId: params.request_id,
          digestMarker: params.digest_marker,
          anchorAid: params.anchor_aid ?? '',
          payload: given,
        });
    const startedMs = clock.nowMs();
    const deadline = Deadline.in(params.budget_ms, clock);
    const tries: (DirectSendBody | NodeFailure)[] = [];
    while (tries.length < params.max_attempts && !deadline.hasPassed()) {
      if (tries.length > 0) {
        const backOffMs = BACK_OFF_MS * tries.length;
        if (backOffMs >= deadline.remainingMs()) break;
        await clock.sleep(backOffMs, call.signal);
      }
      const budgetMs = deadline.remainingMs();
      const ackMs = Math.max(
        NODE_ACK_MIN_MS,
        Math.min(params.raw_quic_receive_ack_ms, budgetMs - API_SHARE_MS),
      );
      const request = {
        agent_id: params.recipient_aid,
        payload,
        prefer_raw_quic_if_connected: params.prefer_raw_quic_if_connected,
        raw_quic_receive_ack_ms: Math.round(ackMs),
        stop_fallback_on_raw_error: params.stop_fallback_on_raw_error,
        require_durable_app_ack: false, // a durable send never takes the raw path, whatever else is asked
      };
      try {
        tries.push(await api().directSend(request, { signal: call.signal, timeoutMs: budgetMs }));
        break;
      } catch (error) {
        call.signal.throwIfAborted();
        const failure = nodeFailureOf(error);
        tries.push(failure);
        if (failure.httpStatus === 404) break;
      }
    }
    const last = tries.at(-1);
    const receipt = last && 'path' in last ? last : null;
    const failure = last && 'code' in last ? last : null;
    const details: SendDetails = {
      path: receipt?.path ?? null,
      retries_used: receipt?.retries_used ?? null,
      runner_attempts: tries.length,
      attempts: tries.reduce((sum, one) => sum + triesOf(one), 0),
      remote_request_id: receipt?.request_id ?? null,
      receipt: receipt?.receipt ?? null,
      wall_clock_ms: clock.nowMs() - startedMs,
      recipient_aid: params.recipient_aid,
      payload_sha256: sha256Hex(innerPayload(payload)),
      http_status: failure?.httpStatus ?? null,
      error: failure?.message ?? null,
      error_code: failure?.code ?? null,
    };
    call.report('send_result', details, {
      outcome: failure ? { error: failure.message, code: failure.code } : 'ok',
      digestMarker: params.digest_marker,
    });
  });
}

function triesOf(one: DirectSendBody | NodeFailure): number {
  return 'path' in one ? (one.attempts ?? one.retries_used + 1) : 1;
}

function innerPayload(payload: Uint8Array): Uint8Array {
  const frame = decodeDm(payload);
  return frame?.form === 'hop' ? frame.payload : payload;
}
