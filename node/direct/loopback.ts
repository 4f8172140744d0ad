import type { Clock } from '../../kit/clock.ts';
import type { AgentId, PeerId } from '../transport/transport.ts';
import type { Delivery } from './delivery.ts';
import { DirectSendError } from './send-error.ts';
import type { DirectReceipt, DirectSendOptions } from './send-options.ts';

/** Sends to ourselves through the queue that messages of peers take. Throws `DirectSendError` when that is full. */
export async function loopBack(
  modules: {
    readonly agentId: AgentId;
    readonly machineId: PeerId;
    readonly clock: Clock;
    readonly delivery: Delivery;
  },
  requestId: string,
  payload: Uint8Array,
  { deadlineMs, requireAckMs }: DirectSendOptions,
): Promise<DirectReceipt> {
  const { agentId, machineId, clock, delivery } = modules;
  const startMs = clock.nowMs();
  const message = {
    requestId,
    sender: agentId,
    machineId,
    payload: payload.slice(),
    receivedAtUnixMs: Math.floor(clock.wallMs()),
    verified: true,
    trustDecision: 'Accept',
  } as const;
  if ((await delivery.admit(message, deadlineMs)) === 'backpressured') {
    throw new DirectSendError(
      'receiver_backpressured',
      'our own queue of direct messages is full: its subscribers do not keep up; send again later',
      { details: { request_id: requestId, elapsed_ms: clock.nowMs() - startMs } },
    );
  }
  return {
    path: 'loopback',
    attempts: 1,
    retriesUsed: 0,
    requestId,
    tier: 'admitted',
    latencyMs: clock.nowMs() - startMs,
    requireAck: requireAckMs === undefined ? null : { ok: true, rttMs: 0 },
  };
}
