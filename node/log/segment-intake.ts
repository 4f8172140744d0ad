import { sha256Hex } from '../../kit/hash.ts';
import type { Signing } from '../../kit/signing.ts';
import type { LogStore } from './log-store.ts';
import { chainAfter, lastSeqOf, type Segment, segmentStatement } from './segment.ts';
import type { Place } from './stream.ts';

/** What became of a segment that a peer sent. */
export type Intake = Exclude<Place, 'next'> | 'added' | 'full' | 'forged';

/**
 * Takes segments of peers into the store once their origin's signature holds. The key comes with the first segment of a
 * stream and is its own proof: its hash is the origin's id. Whoever passes a segment on need not be believed.
 */
export async function takeSegment(
  { store, signing }: { readonly store: LogStore; readonly signing: Pick<Signing, 'verify'> },
  topic: string,
  segment: Segment,
): Promise<Intake> {
  const { place, tail } = store.place(topic, segment);
  if (place !== 'next') return place;
  const { chain, publicKey: known } = store.headOfStream(topic, segment);
  const publicKey = known ?? segment.publicKey;
  if (publicKey === null || sha256Hex(publicKey) !== segment.origin) return 'forged';
  const statement = segmentStatement(lastSeqOf(tail), chainAfter(chain, tail.payloads));
  if (!(await signing.verify(publicKey, statement, segment.signature))) return 'forged';
  // Somebody else may have sent the same meanwhile.
  const added = store.add(topic, { ...segment, publicKey: known === null ? publicKey : null });
  return added === 'next' ? 'added' : added;
}
