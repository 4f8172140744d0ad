import { createHash } from 'node:crypto';
import { ByteReader, BytesError, ByteWriter } from '../kit/bytes.ts';
import { sha256 } from '../kit/hash.ts';

/**
 * One message of a burst, describing itself: the receiver needs nothing but the bytes to tell whose it is, which one,
 * when it left, and whether it is whole. Big-endian:
 * `magic 8 | check 16 | burst id u32+utf8 | seq u32 | total u32 | sent Unix ms u64 | seed u32 | filler to the end`.
 * `check` is the first half of SHA-256 over everything after it. The filler is SHAKE256 of seed, burst id and seq, so
 * that no two messages are alike and a run can be repeated from its seed.
 */
export interface BurstMessage {
  readonly burstId: string;
  /** 0-based. */
  readonly seq: number;
  /** Messages in the whole burst. */
  readonly total: number;
  readonly sentUnixMs: number;
  /** Unsigned 32-bit. */
  readonly seed: number;
}

const MAGIC = Buffer.from('MPBURST1', 'latin1');
const CHECK_BYTES = 16;
const BURST_ID_MAX_BYTES = 128;
/** Largest payload that a burst may have; the gossip layer carries 1 MiB. */
export const BURST_PAYLOAD_MAX_BYTES = 1_048_576;

/** The smallest payload that can carry messages of `burstId`, in bytes. */
export function smallestBurstPayload(burstId: string): number {
  return MAGIC.length + CHECK_BYTES + 4 + Buffer.byteLength(burstId, 'utf8') + 4 + 4 + 8 + 4;
}

/**
 * Builds a payload of exactly `payloadBytes` bytes.
 * @throws RangeError when that is too small for the header or larger than `BURST_PAYLOAD_MAX_BYTES`
 */
export function encodeBurstPayload(message: BurstMessage, payloadBytes: number): Uint8Array {
  const { burstId, seq, total, sentUnixMs, seed } = message;
  const fillerBytes = payloadBytes - smallestBurstPayload(burstId);
  if (
    fillerBytes < 0 ||
    payloadBytes > BURST_PAYLOAD_MAX_BYTES ||
    Buffer.byteLength(burstId) > BURST_ID_MAX_BYTES
  ) {
    throw new RangeError(`${payloadBytes} bytes cannot carry a message of burst ${burstId}`);
  }
  const body = new ByteWriter(payloadBytes)
    .text(burstId)
    .u32(seq)
    .u32(total)
    .u53(sentUnixMs)
    .u32(seed)
    .bytes(filler(message, fillerBytes))
    .finish();
  return new ByteWriter(payloadBytes).bytes(MAGIC).bytes(checkOf(body)).bytes(body).finish();
}

/** What a payload turned out to be. `foreign` is no burst message at all; `corrupted` is one that is not whole. */
export type BurstReading =
  | { readonly found: 'message'; readonly message: BurstMessage }
  | { readonly found: 'corrupted'; readonly why: string }
  | { readonly found: 'foreign' };

/** Reads any bytes; never throws. */
export function readBurstPayload(bytes: Uint8Array): BurstReading {
  if (bytes.length < MAGIC.length || Buffer.compare(bytes.subarray(0, MAGIC.length), MAGIC) !== 0) {
    return { found: 'foreign' };
  }
  try {
    const reader = new ByteReader(bytes.subarray(MAGIC.length));
    const check = reader.bytes('check', CHECK_BYTES);
    const body = bytes.subarray(MAGIC.length + CHECK_BYTES);
    if (Buffer.compare(check, checkOf(body)) !== 0) return { found: 'corrupted', why: 'check differs' };
    const burstId = reader.text('burst_id', BURST_ID_MAX_BYTES);
    const seq = reader.u32('seq');
    const total = reader.u32('total');
    const sentUnixMs = reader.u53('sent_unix_ms');
    const seed = reader.u32('seed');
    return { found: 'message', message: { burstId, seq, total, sentUnixMs, seed } };
  } catch (error) {
    if (error instanceof BytesError) return { found: 'corrupted', why: error.message };
    throw error;
  }
}

function checkOf(body: Uint8Array): Uint8Array {
  return sha256(body).subarray(0, CHECK_BYTES);
}

function filler({ seed, burstId, seq }: BurstMessage, length: number): Uint8Array {
  if (length === 0) return new Uint8Array();
  return createHash('shake256', { outputLength: length })
    .update(new ByteWriter().u32(seed).text(burstId).u32(seq).finish())
    .digest();
}
