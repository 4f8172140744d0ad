import { hash } from 'node:crypto';
import { ByteReader, BytesError, type ByteWriter } from '../../kit/bytes.ts';
import { rootFromAuditPath } from '../../kit/merkle.ts';
import { ML_DSA_65 } from '../../kit/signing.ts';
import type { AgentId } from '../transport/transport.ts';
import { fromHex, toHex } from './wire-hex.ts';

const VERSION = 1;
const HASH_BYTES = 32;
const INCARNATION_BYTES = 8;
const ID_DOMAIN = Buffer.from('meshproof.gossip.message-id.v1\0');
const ROOT_DOMAIN = Buffer.from('meshproof.gossip.batch-root.v1\0');

export const MAX_TOPIC_BYTES = 256;
export const DEFAULT_MAX_PAYLOAD_BYTES = 1_048_576;
/** Most messages that one signature covers; bounds the audit path to six hashes. */
export const MAX_BATCH = 64;
const MAX_PATH = 6; // log2(MAX_BATCH)

/** What an origin says once: the same payload said again has another `seq` and so is another message. */
export interface MessageBody {
  readonly origin: AgentId;
  /** 16 hex characters, random per start of the origin, so that `seq` may begin again at 1. */
  readonly incarnation: string;
  readonly seq: number;
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** One ML-DSA-65 signature over the Merkle root of a batch of message ids, and this message's place in the batch. */
export interface BatchProof {
  readonly leafIndex: number;
  readonly treeSize: number;
  /** RFC 6962 audit path, nearest sibling first; empty for a batch of one. */
  readonly path: readonly Uint8Array[];
  readonly signature: Uint8Array;
}

export interface SignedMessage extends MessageBody {
  readonly id: string;
  readonly proof: BatchProof;
}

/** Writes what stands before the payload; exactly these bytes, with the payload's hash, make the id. */
function headOf({ origin, incarnation, seq, topic }: Omit<MessageBody, 'payload'>): Uint8Array {
  const topicBytes = Buffer.from(topic, 'utf8');
  const head = Buffer.alloc(HASH_BYTES + INCARNATION_BYTES + 8 + 2 + topicBytes.length);
  head.set(fromHex(origin), 0);
  head.set(fromHex(incarnation), HASH_BYTES);
  head.writeBigUInt64BE(BigInt(seq), HASH_BYTES + INCARNATION_BYTES);
  head.writeUInt16BE(topicBytes.length, HASH_BYTES + INCARNATION_BYTES + 8);
  head.set(topicBytes, HASH_BYTES + INCARNATION_BYTES + 10);
  return head;
}

function idOf(head: Uint8Array, payload: Uint8Array): string {
  const preimage = new Uint8Array(ID_DOMAIN.length + head.length + HASH_BYTES);
  preimage.set(ID_DOMAIN, 0);
  preimage.set(head, ID_DOMAIN.length);
  preimage.set(hash('sha256', payload, 'buffer'), ID_DOMAIN.length + head.length);
  return hash('sha256', preimage, 'hex');
}

/** SHA-256(domain ‖ origin ‖ incarnation ‖ seq ‖ topic length ‖ topic ‖ SHA-256(payload)), 64 lowercase hex. */
export function messageId(body: MessageBody): string {
  return idOf(headOf(body), body.payload);
}

/** The bytes that an origin signs for a batch: domain ‖ batch size ‖ Merkle root of the message ids. */
export function batchStatement(treeSize: number, root: Uint8Array): Uint8Array {
  return Buffer.concat([ROOT_DOMAIN, Uint8Array.of(treeSize), root]);
}

/** The Merkle root that a message's proof leads to, or `undefined` when its path does not fit its place. */
export function batchRoot({ id, proof }: Pick<SignedMessage, 'id' | 'proof'>): Uint8Array | undefined {
  return rootFromAuditPath(fromHex(id), { index: proof.leafIndex, size: proof.treeSize, path: proof.path });
}

/** Appends the wire form of a message: version, head, payload, proof. */
export function writeMessage(writer: ByteWriter, message: Omit<SignedMessage, 'id'>): ByteWriter {
  const { proof } = message;
  writer.u8(VERSION).bytes(headOf(message)).sized(message.payload);
  writer.u8(proof.leafIndex).u8(proof.treeSize).u8(proof.path.length);
  for (const sibling of proof.path) writer.bytes(sibling);
  return writer.bytes(proof.signature);
}

/**
 * Parses a whole message from untrusted bytes and computes its id. Byte fields are views of the input. The signature
 * is not looked at: see `MessageVerifier`.
 * @throws BytesError naming the field that is malformed, out of bounds, or followed by trailing bytes
 */
export function readMessage(bytes: Uint8Array, maxPayloadBytes: number): SignedMessage {
  const reader = new ByteReader(bytes);
  const version = reader.u8('version');
  if (version !== VERSION) throw new BytesError('version', `${version} is unknown`);
  const origin = toHex(reader.bytes('origin', HASH_BYTES));
  const incarnation = toHex(reader.bytes('incarnation', INCARNATION_BYTES));
  const seq = reader.u53('seq');
  const topicBytes = reader.u16('topic');
  if (topicBytes < 1 || topicBytes > MAX_TOPIC_BYTES) throw new BytesError('topic', `${topicBytes} bytes`);
  const topic = decodeTopic(reader.bytes('topic', topicBytes));
  const head = bytes.subarray(1, bytes.length - reader.remaining);
  const payload = reader.sized('payload', maxPayloadBytes);
  const proof = readProof(reader);
  reader.end('message');
  return { id: idOf(head, payload), origin, incarnation, seq, topic, payload, proof };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeTopic(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new BytesError('topic', 'is not UTF-8');
  }
}

function readProof(reader: ByteReader): BatchProof {
  const leafIndex = reader.u8('leaf index');
  const treeSize = reader.u8('batch size');
  if (treeSize < 1 || treeSize > MAX_BATCH)
    throw new BytesError('batch size', `${treeSize} not in 1..${MAX_BATCH}`);
  if (leafIndex >= treeSize) throw new BytesError('leaf index', `${leafIndex} of ${treeSize}`);
  const length = reader.u8('audit path');
  if (length > MAX_PATH) throw new BytesError('audit path', `${length} hashes exceed ${MAX_PATH}`);
  const path: Uint8Array[] = [];
  for (let at = 0; at < length; at += 1) path.push(reader.bytes('audit path', HASH_BYTES));
  return { leafIndex, treeSize, path, signature: reader.bytes('signature', ML_DSA_65.signatureBytes) };
}

/** The agent whose public key this is: its SHA-256. */
export function agentIdOf(publicKey: Uint8Array): AgentId {
  return hash('sha256', publicKey, 'hex');
}
