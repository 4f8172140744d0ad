import { ByteReader, BytesError, ByteWriter } from '../../kit/bytes.ts';
import { type SignedMessage, writeMessage } from './message.ts';
import { fromHex, toHex } from './wire-hex.ts';

const EAGER_KIND = 0x40; // outside the control kinds, so that one byte tells a frame's class
const HOPS_AT = 1;
const AGE_AT = 2;
const HEADER_BYTES = 38;
/** No path in a mesh is this long; a frame that claims more is a loop or a lie. */
export const MAX_HOPS = 64;

/** What stands before the message in an EAGER frame and changes from hop to hop. */
export interface EagerHeader {
  /** Links crossed when the frame arrives: 1 straight from the origin. */
  readonly hops: number;
  /**
   * How long the message had been in the mesh when the sender last took it up. Caches count age from the origin's
   * publish, so a message cannot circulate for ever between caches that repair each other.
   */
  readonly ageMs: number;
  /** The id that the sender claims; believed only for dropping copies, recomputed before anything else. */
  readonly id: string;
}

/** Whether a frame is EAGER, by its first byte. */
export function isEager(frame: Uint8Array): boolean {
  return frame[0] === EAGER_KIND;
}

/** An EAGER frame: kind, hops, age, id, message. One frame serves every peer. */
export function eagerFrame(header: Pick<EagerHeader, 'hops' | 'ageMs'>, message: SignedMessage): Uint8Array {
  const writer = new ByteWriter(HEADER_BYTES + 4_096 + message.payload.length);
  writer.u8(EAGER_KIND).u8(header.hops).u32(clampAge(header.ageMs)).bytes(fromHex(message.id));
  return writeMessage(writer, message).finish();
}

/**
 * Reads the header only, which is all that a copy of a known message costs.
 * @throws BytesError for anything but an EAGER frame
 */
export function readEagerHeader(frame: Uint8Array): EagerHeader {
  const reader = new ByteReader(frame);
  const kind = reader.u8('kind');
  if (kind !== EAGER_KIND) throw new BytesError('kind', `0x${kind.toString(16)} is not EAGER`);
  const hops = reader.u8('hops');
  if (hops < 1 || hops > MAX_HOPS) throw new BytesError('hops', `${hops} not in 1..${MAX_HOPS}`);
  return { hops, ageMs: reader.u32('age'), id: toHex(reader.bytes('id', 32)) };
}

/** The message part of an EAGER frame, as a view. */
export function messageBytes(frame: Uint8Array): Uint8Array {
  return frame.subarray(HEADER_BYTES);
}

/** A copy of `frame` with its header rewritten for the next hop; the message stays byte for byte the origin's. */
export function rewriteHeader(
  frame: Uint8Array,
  { hops, ageMs }: Pick<EagerHeader, 'hops' | 'ageMs'>,
): Uint8Array {
  const copy = new Uint8Array(frame);
  copy[HOPS_AT] = hops;
  new DataView(copy.buffer).setUint32(AGE_AT, clampAge(ageMs));
  return copy;
}

function clampAge(ageMs: number): number {
  return Math.min(0xffff_ffff, Math.max(0, Math.round(ageMs)));
}
