import { type JsonObject, MeshproofError } from '../../kit/errors.ts';

/**
 * Something the transport could not do for a peer. `code` is stable: `NO_LINK`, `LINK_CLOSED`, `LINK_REPLACED`,
 * `SEND_QUEUE_FULL`, `FRAME_TOO_LARGE`, `REQUEST_RESET`, `REQUEST_LIMIT`, `REPLY_TRUNCATED`, `DIAL_FAILED`,
 * `DIAL_TIMEOUT`, `TRANSPORT_STOPPED`, or the name of a hello refusal (`WRONG_NETWORK`, …).
 */
export class TransportError extends MeshproofError {}

/** The link went away under the caller, through no fault of what was sent: send again on the link that replaced it. */
export function linkReplaced(peerId: string): TransportError {
  return new TransportError(
    'LINK_REPLACED',
    `The link to ${peerId} was replaced before this was sent; send again`,
    {
      details: { peer_id: peerId, retriable: true },
    },
  );
}

/** The link ended with no successor; `reason` is the name in the close. */
export function linkClosed(peerId: string, reason: string, detail = ''): TransportError {
  return new TransportError(
    'LINK_CLOSED',
    `The link to ${peerId} closed: ${reason}${detail && `, ${detail}`}`,
    {
      details: { peer_id: peerId, reason },
    },
  );
}

export function transportError(code: string, message: string, details: JsonObject = {}): TransportError {
  return new TransportError(code, message, { details });
}
