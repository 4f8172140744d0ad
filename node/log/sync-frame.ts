import { ByteReader, BytesError, ByteWriter } from '../../kit/bytes.ts';
import type { TopicHead } from './log-store.ts';
import { readSegment, readStreamName, type Segment, writeSegment, writeStreamName } from './segment.ts';
import type { StreamHead } from './stream.ts';

/** The log owns control frames whose first byte is in 0x50–0x5f, and the class `bulk` with the same first bytes. */
const KIND = { heads: 0x50, vector: 0x51, segments: 0x52 } as const;
const LAST_OWN_KIND = 0x5f;
const VERSION = 1;
const HASH_BYTES = 32;
const MAX_TOPIC_BYTES = 256;
const MAX_STREAMS = 1_024; // more than a node of ours keeps, and still a frame's worth
const MAX_SEGMENTS = 4_096;

/** Topics in one frame of heads; more go over several. 37 KiB, inside the 64 KiB of a control frame. */
export const MAX_HEADS = 128;

export type SyncFrame =
  /** What the sender has of these topics. `answer`: it was told of other heads first, and wants no answer. */
  | {
      readonly kind: 'heads';
      readonly isAnswer: boolean;
      readonly heads: readonly Pick<TopicHead, 'topic' | 'headHash'>[];
    }
  /** How far the sender has each stream of a topic: it asks for what it lacks. */
  | { readonly kind: 'vector'; readonly topic: string; readonly vector: readonly StreamHead[] }
  /** Segments of a topic. `hasMore`: there is more to ask for. */
  | {
      readonly kind: 'segments';
      readonly topic: string;
      readonly hasMore: boolean;
      readonly segments: readonly Segment[];
    };

export function isLogFrame(frame: Uint8Array): boolean {
  const kind = frame[0];
  return kind !== undefined && kind >= KIND.heads && kind <= LAST_OWN_KIND;
}

/** Wire: kind u8 · version u8 · flag u8 · then by kind; see `readBody`. Heads and vectors are control frames. */
export function encodeSyncFrame(frame: SyncFrame): Uint8Array {
  const writer = new ByteWriter(frame.kind === 'segments' ? 8_192 : 512).u8(KIND[frame.kind]).u8(VERSION);
  switch (frame.kind) {
    case 'heads':
      writer.u8(frame.isAnswer ? 1 : 0).u16(frame.heads.length);
      for (const { topic, headHash } of frame.heads) writer.text(topic).bytes(headHash);
      break;
    case 'vector':
      writer.u8(0).text(frame.topic).u16(frame.vector.length);
      for (const head of frame.vector) {
        writeStreamName(writer, head);
        writer.u53(head.lastSeq).bytes(head.chain);
      }
      break;
    case 'segments':
      writer
        .u8(frame.hasMore ? 1 : 0)
        .text(frame.topic)
        .u16(frame.segments.length);
      for (const segment of frame.segments) writeSegment(writer, segment);
      break;
  }
  return writer.finish();
}

/** @throws BytesError `MALFORMED_BYTES` for anything but one whole, bounded frame of version 1 */
export function decodeSyncFrame(bytes: Uint8Array): SyncFrame {
  const reader = new ByteReader(bytes);
  const kind = reader.u8('kind');
  const version = reader.u8('version');
  if (version !== VERSION) throw new BytesError('version', `${version} is not known`);
  const flag = reader.u8('flag');
  if (flag > 1) throw new BytesError('flag', `${flag} is neither 0 nor 1`);
  const frame = readBody(reader, kind, flag === 1);
  reader.end('log frame');
  return frame;
}

function readBody(reader: ByteReader, kind: number, isFlagged: boolean): SyncFrame {
  switch (kind) {
    case KIND.heads: {
      const heads = list(reader, { what: 'heads', max: MAX_HEADS }, () => ({
        topic: topicOf(reader),
        headHash: reader.bytes('head', HASH_BYTES).slice(),
      }));
      return { kind: 'heads', isAnswer: isFlagged, heads };
    }
    case KIND.vector: {
      const topic = topicOf(reader);
      const vector = list(reader, { what: 'streams', max: MAX_STREAMS }, () => ({
        ...readStreamName(reader),
        lastSeq: reader.u53('last seq'),
        chain: reader.bytes('chain', HASH_BYTES).slice(),
      }));
      return { kind: 'vector', topic, vector };
    }
    case KIND.segments: {
      const topic = topicOf(reader);
      const segments = list(reader, { what: 'segments', max: MAX_SEGMENTS }, () => readSegment(reader));
      return { kind: 'segments', topic, hasMore: isFlagged, segments };
    }
    default:
      throw new BytesError('kind', `${kind} is not known`);
  }
}

function list<T>(
  reader: ByteReader,
  { what, max }: { readonly what: string; readonly max: number },
  read: () => T,
): readonly T[] {
  const count = reader.u16(what);
  if (count > max) throw new BytesError(what, `${count} exceed ${max}`);
  const items: T[] = [];
  for (let at = 0; at < count; at += 1) items.push(read());
  return items;
}

function topicOf(reader: ByteReader): string {
  const topic = reader.text('topic', MAX_TOPIC_BYTES);
  if (topic === '') throw new BytesError('topic', 'is empty');
  return topic;
}
