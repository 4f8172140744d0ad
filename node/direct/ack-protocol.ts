import { ByteReader, BytesError, ByteWriter } from '../../kit/bytes.ts';

/** Greatest payload of a direct message, in bytes (16 MiB, as x0xd allows). */
export const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;
/** Why a receiver refused a message for good. `unknown` stands for a code of a newer build. */
export type RejectReason = (typeof REJECT_REASONS)[number];
/** What a receiver answers to one request. */
export type DirectResponse =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'rejected'; readonly reason: RejectReason }
  | { readonly kind: 'closed'; readonly reason: 'shutting_down' | 'unknown' };

type DirectFrame = {
  /** 32 lowercase hex characters; the same for every try of one message. */
  readonly requestId: string;
  /** SHA-256 of the sender's agent key, 64 hex; must be the agent that the link has proven. */
  readonly sender: string;
};
export type DirectRequest =
  | ({ readonly kind: 'message'; readonly payload: Uint8Array } & DirectFrame)
  | ({ readonly kind: 'probe' } & DirectFrame);

/** A request as untrusted bytes turned out to be: ours, of a form we do not speak, or broken. */
export type DecodedRequest =
  | DirectRequest
  | { readonly kind: 'unsupported'; readonly why: string }
  | { readonly kind: 'malformed'; readonly why: string };

/** A reply as it arrived. `incomplete`: the stream ended inside it. `invalid`: it is no reply of this protocol. */
export type DecodedResponse =
  | DirectResponse
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'invalid'; readonly why: string };

const REJECT_REASONS = [
  'invalid_envelope',
  'not_supported',
  'backpressured',
  'conflict',
  'sender_mismatch',
  'unknown',
] as const;
const VERSION = 1;
const REQUEST_MAGIC = 'MPDQ';
const RESPONSE_MAGIC = 'MPDR';
const RESPONSE_BYTES = 7;
const REQUEST_KINDS = { message: 1, probe: 2 } as const;
const RESPONSE_KINDS = { accepted: 0, rejected: 1, closed: 2 } as const;
// Codes 2 to 4 and 255 carry the meaning they have in the ACK-v2 protocol of the nearest system.
const REJECT_CODES = {
  invalid_envelope: 2,
  not_supported: 3,
  backpressured: 4,
  conflict: 5,
  sender_mismatch: 6,
  unknown: 255,
} as const satisfies Record<RejectReason, number>;
const CLOSED_CODES = { shutting_down: 1, unknown: 255 } as const;

/**
 * One request: magic, version, kind, request id (16), sender agent id (32), payload (u32 length, at most 16 MiB; empty
 * for a probe). Throws `BytesError` when an id or the payload has the wrong size.
 */
export function encodeRequest(request: DirectRequest): Uint8Array {
  const payload = request.kind === 'message' ? request.payload : new Uint8Array();
  if (payload.length > MAX_PAYLOAD_BYTES) {
    throw new BytesError('payload', `${payload.length} bytes exceed the bound of ${MAX_PAYLOAD_BYTES}`);
  }
  return new ByteWriter(58 + payload.length)
    .bytes(Buffer.from(REQUEST_MAGIC, 'latin1'))
    .u8(VERSION)
    .u8(REQUEST_KINDS[request.kind])
    .bytes(fromHex('request_id', request.requestId, 16))
    .bytes(fromHex('sender', request.sender, 32))
    .sized(payload)
    .finish();
}

/** Reads a request from untrusted bytes; never throws. The payload is a view into `bytes`. */
export function decodeRequest(bytes: Uint8Array): DecodedRequest {
  return guarded((): DecodedRequest => {
    const reader = new ByteReader(bytes);
    const magic = toText(reader.bytes('magic', 4));
    if (magic !== REQUEST_MAGIC) return { kind: 'unsupported', why: 'not a direct message' };
    const version = reader.u8('version');
    if (version !== VERSION) return { kind: 'unsupported', why: `version ${version}, not ${VERSION}` };
    const kind = reader.u8('kind');
    const requestId = toHex(reader.bytes('request_id', 16));
    const sender = toHex(reader.bytes('sender', 32));
    const payload = reader.sized('payload', MAX_PAYLOAD_BYTES);
    reader.end('request');
    if (kind === REQUEST_KINDS.message) return { kind: 'message', requestId, sender, payload };
    if (kind !== REQUEST_KINDS.probe) return { kind: 'unsupported', why: `request kind ${kind}` };
    if (payload.length > 0) return { kind: 'malformed', why: 'a probe carries no payload' };
    return { kind: 'probe', requestId, sender };
  });
}

/** One reply: magic, version, kind, value; always 7 bytes. */
export function encodeResponse(response: DirectResponse): Uint8Array {
  return new ByteWriter(RESPONSE_BYTES)
    .bytes(Buffer.from(RESPONSE_MAGIC, 'latin1'))
    .u8(VERSION)
    .u8(RESPONSE_KINDS[response.kind])
    .u8(codeOf(response))
    .finish();
}

/** Reads a reply from untrusted bytes; never throws. */
export function decodeResponse(bytes: Uint8Array): DecodedResponse {
  if (bytes.length < RESPONSE_BYTES) return { kind: 'incomplete' };
  const decoded = guarded((): DecodedResponse => {
    const reader = new ByteReader(bytes);
    if (toText(reader.bytes('magic', 4)) !== RESPONSE_MAGIC) return { kind: 'invalid', why: 'not a reply' };
    const version = reader.u8('version');
    if (version !== VERSION) return { kind: 'invalid', why: `version ${version}, not ${VERSION}` };
    const kind = reader.u8('kind');
    const value = reader.u8('value');
    reader.end('response');
    if (kind === RESPONSE_KINDS.accepted) return { kind: 'accepted' };
    if (kind === RESPONSE_KINDS.rejected) return { kind: 'rejected', reason: rejectReasonOf(value) };
    if (kind === RESPONSE_KINDS.closed)
      return { kind: 'closed', reason: value === CLOSED_CODES.shutting_down ? 'shutting_down' : 'unknown' };
    return { kind: 'invalid', why: `response kind ${kind}` };
  });
  return decoded.kind === 'malformed' ? { kind: 'invalid', why: decoded.why } : decoded;
}

function codeOf(response: DirectResponse): number {
  if (response.kind === 'accepted') return 0;
  return response.kind === 'rejected' ? REJECT_CODES[response.reason] : CLOSED_CODES[response.reason];
}

function rejectReasonOf(value: number): RejectReason {
  return REJECT_REASONS.find((reason) => REJECT_CODES[reason] === value) ?? 'unknown';
}

function guarded<T>(read: () => T): T | { readonly kind: 'malformed'; readonly why: string } {
  try {
    return read();
  } catch (error) {
    if (error instanceof BytesError) return { kind: 'malformed', why: error.message };
    throw error;
  }
}

function fromHex(field: string, hex: string, length: number): Uint8Array {
  const bytes = Buffer.from(hex, 'hex');
  if (bytes.length !== length || hex.length !== length * 2) {
    throw new BytesError(field, `needs ${length * 2} hex characters`);
  }
  return bytes;
}

const toHex = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
const toText = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
