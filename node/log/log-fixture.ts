import { sha256, sha256Hex } from '../../kit/hash.ts';
import { ML_DSA_65, type Signing } from '../../kit/signing.ts';
import type { LogStore } from './log-store.ts';
import { chainAfter, lastSeqOf, type Segment, segmentStatement } from './segment.ts';

/** A writer whose signature anyone could make: it is a hash. Real ones are in `replicated-log.test.ts`. */
export function writerNamed(name: string, incarnation = '00'.repeat(8)) {
  const publicKey = new Uint8Array(ML_DSA_65.publicKeyBytes).fill(7);
  publicKey.set(sha256(Buffer.from(name)));
  const sign = async (message: Uint8Array) => cheapSignature(publicKey, message);
  return { id: sha256Hex(publicKey), origin: sha256Hex(publicKey), incarnation, publicKey, sign };
}

export type Writer = ReturnType<typeof writerNamed>;

function cheapSignature(publicKey: Uint8Array, message: Uint8Array): Uint8Array {
  const signature = new Uint8Array(ML_DSA_65.signatureBytes);
  signature.set(sha256(publicKey, message));
  return signature;
}

export const cheapSigning: Pick<Signing, 'verify'> = {
  verify: async (publicKey, message, signature) =>
    Buffer.compare(cheapSignature(publicKey, message), signature) === 0,
};

/** The next segment of `writer` in `store`, signed; not added. */
export function nextSegment(
  store: LogStore,
  topic: string,
  writer: Writer,
  payloads: readonly string[],
): Segment {
  const { lastSeq, chain } = store.headOfStream(topic, writer);
  const entries = payloads.map((payload) => Buffer.from(payload));
  const place = { firstSeq: lastSeq + 1, payloads: entries };
  const statement = segmentStatement(lastSeqOf(place), chainAfter(chain, entries));
  const { origin, incarnation, publicKey } = writer;
  const signature = cheapSignature(publicKey, statement);
  return { origin, incarnation, ...place, signature, publicKey: lastSeq === 0 ? publicKey : null };
}

/** Writes and gives the segment. */
export function write(store: LogStore, topic: string, writer: Writer, ...payloads: string[]): Segment {
  const segment = nextSegment(store, topic, writer, payloads);
  store.add(topic, segment);
  return segment;
}
