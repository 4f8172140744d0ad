import { type ByteReader, BytesError, type ByteWriter } from '../../kit/bytes.ts';
import { sha256 } from '../../kit/hash.ts';
import { ML_DSA_65 } from '../../kit/signing.ts';
import type { AgentId } from '../transport/transport.ts';

const CHAIN_DOMAIN = Buffer.from('meshproof.log.chain.v1\0');
const STATEMENT_DOMAIN = Buffer.from('meshproof.log.segment.v1\0');
const INCARNATION_BYTES = 8;
const HASH_BYTES = 32;
const SEGMENT_OVERHEAD_BYTES = 256; // what a segment holds in memory beside its payloads and its signature
const ENTRY_OVERHEAD_BYTES = 128; // and each payload beside its bytes

export const MAX_ENTRY_BYTES = 64 * 1024;
export const MAX_SEGMENT_ENTRIES = 64;

/**
 * One writer's entries of one topic: an agent, in one run of its process. A restarted process begins a stream of its
 * own, since it may have forgotten what it wrote.
 */
export interface StreamName {
  readonly origin: AgentId;
  /** 16 hex characters, random per start of the origin. */
  readonly incarnation: string;
}

/** Entries that follow each other, the last of which its origin has signed; the signature covers all before it too. */
export interface Segment extends StreamName {
  /** Entries count from 1 in each stream. */
  readonly firstSeq: number;
  /** 1 to 64, each of at most 64 KiB. */
  readonly payloads: readonly Uint8Array[];
  /** ML-DSA-65 of the origin over `segmentStatement`. */
  readonly signature: Uint8Array;
  /** The origin's public key; goes with the first segment of a stream, so that whoever has a stream can verify it. */
  readonly publicKey: Uint8Array | null;
}

/** Where a stream's chain begins: it commits to the topic, the origin and its incarnation. */
export function chainStart(topic: string, { origin, incarnation }: StreamName): Uint8Array {
  const name = Buffer.from(topic, 'utf8');
  const length = Buffer.alloc(2);
  length.writeUInt16BE(name.length);
  return sha256(CHAIN_DOMAIN, Buffer.from(origin, 'hex'), Buffer.from(incarnation, 'hex'), length, name);
}

/** The chain after `payloads`: each link is SHA-256 over the one before and the entry's SHA-256. */
export function chainAfter(chain: Uint8Array, payloads: readonly Uint8Array[]): Uint8Array {
  return payloads.reduce<Uint8Array>((before, payload) => sha256(before, sha256(payload)), chain);
}

/** What the origin signs: its stream up to `lastSeq` is what `chain` says. */
export function segmentStatement(lastSeq: number, chain: Uint8Array): Uint8Array {
  const seq = Buffer.alloc(8);
  seq.writeBigUInt64BE(BigInt(lastSeq));
  return Buffer.concat([STATEMENT_DOMAIN, seq, chain]);
}

export function lastSeqOf({ firstSeq, payloads }: Pick<Segment, 'firstSeq' | 'payloads'>): number {
  return firstSeq + payloads.length - 1;
}

/** What a segment counts against the bound of memory. */
export function bytesOf({ payloads }: Pick<Segment, 'payloads'>): number {
  return payloads.reduce(
    (sum, { length }) => sum + length + ENTRY_OVERHEAD_BYTES,
    ML_DSA_65.signatureBytes + SEGMENT_OVERHEAD_BYTES,
  );
}

/** Wire: origin 32 · incarnation 8 · first seq u64 · key flag u8 and key · entries u16, sized each · signature. */
export function writeSegment(writer: ByteWriter, segment: Segment): void {
  writeStreamName(writer, segment);
  writer.u53(segment.firstSeq);
  writer.u8(segment.publicKey === null ? 0 : 1);
  if (segment.publicKey !== null) writer.bytes(segment.publicKey);
  writer.u16(segment.payloads.length);
  for (const payload of segment.payloads) writer.sized(payload);
  writer.bytes(segment.signature);
}

/**
 * Reads one segment from untrusted bytes; what it gives holds nothing of the input. The signature is not looked at.
 * @throws BytesError naming the field
 */
export function readSegment(reader: ByteReader): Segment {
  const name = readStreamName(reader);
  const firstSeq = reader.u53('first seq');
  if (firstSeq < 1) throw new BytesError('first seq', 'entries count from 1');
  const hasKey = reader.u8('key flag');
  if (hasKey > 1) throw new BytesError('key flag', `${hasKey} is neither 0 nor 1`);
  const publicKey = hasKey === 1 ? reader.bytes('public key', ML_DSA_65.publicKeyBytes).slice() : null;
  const count = reader.u16('entries');
  if (count < 1 || count > MAX_SEGMENT_ENTRIES) {
    throw new BytesError('entries', `${count} not in 1..${MAX_SEGMENT_ENTRIES}`);
  }
  const payloads: Uint8Array[] = [];
  for (let at = 0; at < count; at += 1) payloads.push(reader.sized('entry', MAX_ENTRY_BYTES).slice());
  const signature = reader.bytes('signature', ML_DSA_65.signatureBytes).slice();
  return { ...name, firstSeq, payloads, signature, publicKey };
}

export function writeStreamName(writer: ByteWriter, { origin, incarnation }: StreamName): void {
  writer.bytes(Buffer.from(origin, 'hex')).bytes(Buffer.from(incarnation, 'hex'));
}

export function readStreamName(reader: ByteReader): StreamName {
  const origin = Buffer.from(reader.bytes('origin', HASH_BYTES)).toString('hex');
  return { origin, incarnation: Buffer.from(reader.bytes('incarnation', INCARNATION_BYTES)).toString('hex') };
}
