import { ByteReader, BytesError, ByteWriter } from '../../kit/bytes.ts';
import { ML_DSA_65 } from '../../kit/signing.ts';
import type { AgentId } from '../transport/transport.ts';
import { MAX_TOPIC_BYTES } from './message.ts';
import { fromHex, toHex } from './wire-hex.ts';

/** First bytes of gossip's frames on the control class; 0x01-0x0f belong to membership. */
const KIND = {
  ihave: 0x10,
  iwant: 0x11,
  graft: 0x12,
  prune: 0x13,
  summary: 0x14,
  buckets: 0x15,
  digest: 0x16,
  keyWant: 0x17,
  key: 0x18,
  echo: 0x19,
  echoed: 0x1a,
} as const;
/** GRAFT and PRUNE of one origin's tree; only for peers that say `ORIGIN_TREES`, since to others these are no frames. */
const OF_ORIGIN = { graft: 0x1b, prune: 0x1c } as const;
/** What a node says in its hello when it keeps a tree for each origin, and so takes GRAFT and PRUNE that name one. */
export const ORIGIN_TREES = 'gossip/origin-trees';

const FIRST_KIND = 0x10;
const LAST_KIND = 0x3f;

/** Most ids in one IHAVE, IWANT or digest frame. */
export const MAX_IDS_PER_FRAME = 1_024;
/** Most topics in one IHAVE or summary frame. */
export const MAX_TOPICS_PER_FRAME = 64; // keeps every control frame below 64 KiB, whatever the length of the topics
/** Buckets that a topic's ids fall into for anti-entropy; see `IdSet`. */
export const BUCKETS = 64;
const ID_BYTES = 32;
const SET_HASH_BYTES = 8;

/** "I have this message, `hops` links from its origin." */
export interface Announcement {
  readonly id: string;
  readonly hops: number;
}

interface TopicAnnouncements {
  readonly topic: string;
  readonly entries: readonly Announcement[];
}

/** The cached ids of one topic, summed up: how many, and the exclusive-or of their first 8 bytes (16 hex). */
export interface TopicSummary {
  readonly topic: string;
  readonly count: number;
  readonly setHash: string;
}

/** Everything that gossip says besides EAGER. Hop by hop, authentic by the QUIC session, so unsigned. */
export type ControlFrame =
  | { readonly kind: 'ihave'; readonly topics: readonly TopicAnnouncements[] }
  | { readonly kind: 'iwant'; readonly ids: readonly string[] }
  /** Of one origin's tree, or of all trees of the topic; older versions know the latter only. */
  | { readonly kind: 'graft'; readonly topic: string; readonly origin?: AgentId | undefined }
  | { readonly kind: 'prune'; readonly topic: string; readonly origin?: AgentId | undefined }
  | { readonly kind: 'summary'; readonly topics: readonly TopicSummary[] }
  | { readonly kind: 'buckets'; readonly topic: string; readonly setHashes: readonly string[] }
  | {
      readonly kind: 'digest';
      readonly topic: string;
      readonly mask: string;
      readonly entries: readonly Announcement[];
    }
  | { readonly kind: 'keyWant'; readonly agentId: AgentId }
  | { readonly kind: 'key'; readonly publicKey: Uint8Array }
  /** "Say this number back": how a sender learns that a link carries what it is given. */
  | { readonly kind: 'echo'; readonly number: number }
  | { readonly kind: 'echoed'; readonly number: number };

/** Whether a frame of the control class is gossip's, by its first byte. */
export function isGossipControl(frame: Uint8Array): boolean {
  const kind = frame[0] ?? 0;
  return kind >= FIRST_KIND && kind <= LAST_KIND;
}

/** The kind of a control frame by its first byte alone, or `undefined` for one that nobody speaks yet. */
export function kindOf(frame: Uint8Array): ControlFrame['kind'] | undefined {
  return KINDS_BY_BYTE.get(frame[0] ?? 0);
}

const KINDS_BY_BYTE = new Map<number, ControlFrame['kind']>([
  [KIND.ihave, 'ihave'],
  [KIND.iwant, 'iwant'],
  [KIND.graft, 'graft'],
  [KIND.prune, 'prune'],
  [KIND.summary, 'summary'],
  [KIND.buckets, 'buckets'],
  [KIND.digest, 'digest'],
  [KIND.keyWant, 'keyWant'],
  [KIND.key, 'key'],
  [KIND.echo, 'echo'],
  [KIND.echoed, 'echoed'],
  [OF_ORIGIN.graft, 'graft'],
  [OF_ORIGIN.prune, 'prune'],
]);

export function encodeControl(frame: ControlFrame): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(byteOf(frame));
  switch (frame.kind) {
    case 'ihave':
      writer.u16(frame.topics.length);
      for (const { topic, entries } of frame.topics) writeEntries(writer.text(topic), entries);
      break;
    case 'iwant':
      writer.u16(frame.ids.length);
      for (const id of frame.ids) writer.bytes(fromHex(id));
      break;
    case 'graft':
    case 'prune':
      writer.text(frame.topic);
      if (frame.origin !== undefined) writer.bytes(fromHex(frame.origin));
      break;
    case 'summary':
      writer.u16(frame.topics.length);
      for (const { topic, count, setHash } of frame.topics)
        writer.text(topic).u32(count).bytes(fromHex(setHash));
      break;
    case 'buckets':
      writer.text(frame.topic);
      for (const setHash of frame.setHashes) writer.bytes(fromHex(setHash));
      break;
    case 'digest':
      writeEntries(writer.text(frame.topic).bytes(fromHex(frame.mask)), frame.entries);
      break;
    case 'keyWant':
      writer.bytes(fromHex(frame.agentId));
      break;
    case 'key':
      writer.bytes(frame.publicKey);
      break;
    case 'echo':
    case 'echoed':
      writer.u32(frame.number);
      break;
  }
  return writer.finish();
}

/**
 * Parses a control frame from untrusted bytes; every repeated field is bounded before it is read.
 * @throws BytesError naming the field
 */
export function decodeControl(bytes: Uint8Array): ControlFrame {
  const reader = new ByteReader(bytes);
  const byte = reader.u8('kind');
  const kind = KINDS_BY_BYTE.get(byte);
  if (kind === undefined) throw new BytesError('kind', `0x${byte.toString(16)} is unknown`);
  const frame = readBody(kind, byte, reader);
  reader.end(kind);
  return frame;
}

function byteOf(frame: ControlFrame): number {
  const isOfOrigin = (frame.kind === 'graft' || frame.kind === 'prune') && frame.origin !== undefined;
  return isOfOrigin ? OF_ORIGIN[frame.kind] : KIND[frame.kind];
}

function readBody(kind: ControlFrame['kind'], byte: number, reader: ByteReader): ControlFrame {
  switch (kind) {
    case 'ihave':
      return { kind, topics: readIhave(reader) };
    case 'iwant':
      return { kind, ids: repeat(reader, MAX_IDS_PER_FRAME, () => readId(reader)) };
    case 'graft':
    case 'prune': {
      const topic = readTopic(reader);
      return byte === KIND[kind] ? { kind, topic } : { kind, topic, origin: readId(reader) };
    }
    case 'summary':
      return {
        kind,
        topics: repeat(reader, MAX_TOPICS_PER_FRAME, () => ({
          topic: readTopic(reader),
          count: reader.u32('count'),
          setHash: readSetHash(reader),
        })),
      };
    case 'buckets':
      return {
        kind,
        topic: readTopic(reader),
        setHashes: Array.from({ length: BUCKETS }, () => readSetHash(reader)),
      };
    case 'digest':
      return { kind, topic: readTopic(reader), mask: readSetHash(reader), entries: readEntries(reader) };
    case 'keyWant':
      return { kind, agentId: readId(reader) };
    case 'key':
      return { kind, publicKey: reader.bytes('public key', ML_DSA_65.publicKeyBytes) };
    case 'echo':
    case 'echoed':
      return { kind, number: reader.u32('number') };
  }
}

function readIhave(reader: ByteReader): TopicAnnouncements[] {
  let ids = 0;
  return repeat(reader, MAX_TOPICS_PER_FRAME, () => {
    const topic = readTopic(reader);
    const entries = readEntries(reader);
    ids += entries.length;
    if (ids > MAX_IDS_PER_FRAME) throw new BytesError('ihave', `more than ${MAX_IDS_PER_FRAME} ids`);
    return { topic, entries };
  });
}

function writeEntries(writer: ByteWriter, entries: readonly Announcement[]): void {
  writer.u16(entries.length);
  for (const { id, hops } of entries) writer.bytes(fromHex(id)).u8(hops);
}

function readEntries(reader: ByteReader): Announcement[] {
  return repeat(reader, MAX_IDS_PER_FRAME, () => ({ id: readId(reader), hops: reader.u8('hops') }));
}

function repeat<T>(reader: ByteReader, max: number, read: () => T): T[] {
  const count = reader.u16('count');
  if (count > max) throw new BytesError('count', `${count} exceeds ${max}`);
  const items: T[] = [];
  for (let at = 0; at < count; at += 1) items.push(read());
  return items;
}

function readTopic(reader: ByteReader): string {
  const topic = reader.text('topic', MAX_TOPIC_BYTES);
  if (topic === '') throw new BytesError('topic', 'is empty');
  return topic;
}

function readId(reader: ByteReader): string {
  return toHex(reader.bytes('id', ID_BYTES));
}

function readSetHash(reader: ByteReader): string {
  return toHex(reader.bytes('set hash', SET_HASH_BYTES));
}
