import type { JsonObject } from '../../kit/errors.ts';
import type { RejectReason } from './ack-protocol.ts';
import type { SendResult } from './send-core.ts';
import { DirectSendError } from './send-error.ts';

/** Turns the end of a send that was not accepted into the error its caller gets. */
export function failureOf(
  result: Exclude<SendResult, { kind: 'accepted' }>,
  agentId: string,
  details: JsonObject,
): DirectSendError {
  const to = `agent ${agentId.slice(0, 16)}`;
  switch (result.kind) {
    case 'no_link':
      return new DirectSendError(
        'peer_likely_offline',
        `${to} is known but has no live connection; is its node up?`,
        {
          details: { ...details, budget_stage: 'link_wait' },
        },
      );
    case 'disconnected':
      return new DirectSendError('peer_disconnected', `${to} did not acknowledge: ${result.why}`, {
        details,
      });
    case 'congested':
      return new DirectSendError(
        'receiver_backpressured',
        `${to} takes in less than is sent to it: ${result.why}`,
        {
          details,
        },
      );
    case 'timed_out':
      return new DirectSendError('timeout', `${to} is connected but did not acknowledge in time`, {
        details: { ...details, budget_stage: result.stage },
      });
    case 'not_understood':
      return new DirectSendError(
        'recipient_ack_semantics_unavailable',
        `${to} gave no usable reply: ${result.why}`,
        {
          details,
        },
      );
    case 'rejected':
      return rejection(result.reason, to, { ...details, reason: result.reason });
  }
}

function rejection(reason: RejectReason, to: string, details: JsonObject): DirectSendError {
  switch (reason) {
    case 'backpressured':
      return new DirectSendError(
        'receiver_backpressured',
        `${to} has no room: its subscribers do not keep up; send again later`,
        { details },
      );
    case 'conflict':
      return new DirectSendError(
        'idempotency_conflict',
        `${to} has seen this request id with another payload`,
        {
          details,
        },
      );
    case 'not_supported':
      return new DirectSendError(
        'recipient_ack_semantics_unavailable',
        `${to} does not speak this version of direct messages; are both nodes of the same build?`,
        { details },
      );
    case 'invalid_envelope':
    case 'sender_mismatch':
    case 'unknown':
      return new DirectSendError('recipient_rejected', `${to} refused the message: ${reason}`, { details });
  }
}
