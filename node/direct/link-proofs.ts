import type { LinkPath, PeerId, PeerLink } from '../transport/transport.ts';

const EVERY_MS = 10_000;
/** Unanswered proofs in a row that end a link. With the shortest wait: found 24 to 36 s after the path broke. */
const STRIKES_TO_CLOSE = 3;
const LEAST_WAIT_MS = 8_000; // several retransmissions of QUIC at any ordinary distance
const MOST_WAIT_MS = 20_000; // three of them are a minute
const ROUND_TRIPS = 4;
/**
 * Keep-alives come every 15 s. A link that has been wholly silent for longer is no half-dead one: its peer may be
 * paused, and the idle timeout of the transport decides.
 */
const SILENT_MS = 20_000;

type ProvableLink = Pick<PeerLink, 'peerId' | 'generation' | 'initiator'>;

/** `inconclusive`: nothing can be said, such as when the link went away or our own queue was full. */
export type ProofOutcome = 'proven' | 'unanswered' | 'inconclusive';

interface Course {
  readonly generation: number;
  dueAtMs: number;
  isUnderWay: boolean;
  strikes: number;
}

/** How long to wait for a proof: four round trips, at least 8 s and at most 20 s. */
export function proofWaitMs({ rttMs }: Pick<LinkPath, 'rttMs'>): number {
  return Math.min(MOST_WAIT_MS, Math.max(LEAST_WAIT_MS, ROUND_TRIPS * (rttMs ?? 0)));
}

/**
 * When each link is to prove that it carries messages both ways, and what its silence means. QUIC may live on small
 * packets while a direction delivers nothing of the size of a message; nobody would notice in a quiet mesh. Whoever
 * opened a link asks, every 10 s, and again at once after an unanswered proof; the reply is as large as the request, so
 * that one side's asking tries both directions. Pure; holds one course per live link.
 */
export class LinkProofs {
  readonly #courses = new Map<PeerId, Course>();

  /** Begins the proofs that are due on the links as they are now. Each must be answered by `ended`. */
  due<L extends ProvableLink>(links: readonly L[], nowMs: number): readonly L[] {
    const ours = links.filter(({ initiator }) => initiator === 'us');
    const live = new Set(ours.map(({ peerId }) => peerId));
    for (const peerId of this.#courses.keys()) if (!live.has(peerId)) this.#courses.delete(peerId);
    return ours.filter(({ peerId, generation }) => {
      const known = this.#courses.get(peerId);
      if (known?.generation !== generation) {
        this.#courses.set(peerId, { generation, dueAtMs: nowMs + EVERY_MS, isUnderWay: false, strikes: 0 });
        return false;
      }
      if (known.isUnderWay || known.dueAtMs > nowMs) return false;
      known.isUnderWay = true;
      return true;
    });
  }

  /** What came of a proof on `link`; `quietMs` is for how long nothing had come from the peer by then. */
  ended(
    { peerId, generation }: ProvableLink,
    { outcome, quietMs }: { readonly outcome: ProofOutcome; readonly quietMs: number },
    nowMs: number,
  ): 'keep' | 'close' {
    const course = this.#courses.get(peerId);
    if (course?.generation !== generation) return 'keep';
    course.isUnderWay = false;
    if (outcome !== 'unanswered') {
      course.dueAtMs = nowMs + EVERY_MS;
      if (outcome === 'proven') course.strikes = 0;
      return 'keep';
    }
    course.dueAtMs = nowMs;
    if (quietMs < SILENT_MS) course.strikes += 1;
    return course.strikes >= STRIKES_TO_CLOSE ? 'close' : 'keep';
  }
}
