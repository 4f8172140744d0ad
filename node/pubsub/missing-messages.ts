import type { PeerId } from '../transport/transport.ts';
import { DecayingCount } from './decaying-count.ts';
import { TopicShares } from './topic-shares.ts';

const MAX_MISSING = 8_192;
const MAX_ANNOUNCERS = 8;
const MAX_ASKS_PER_PEER = 3; // of one message; gossipsub's limit
/** Unanswered asks per peer; the rest wait, so that a heal does not ask for more than a link can carry. */
const MAX_OUTSTANDING = 128;
/** So many of each topic are asked for even so: what a flooded topic waits for must not delay the others' repair. */
const OUTSTANDING_OF_EACH_TOPIC = 16;
/** However many topics there are. */
const MAX_OUTSTANDING_IN_ALL = 512;
/** iroh-gossip's graft timeout; a shorter wait would mistake scheduling for loss. */
const MIN_PATIENCE_MS = 80;
/** Share of an answer's time on a busy link, so that a long batch is not asked for twice. */
const PATIENCE_PER_OUTSTANDING_MS = 2;
const MAX_PATIENCE_MS = 5_000;
const SOLE_ANNOUNCER_PATIENCE_MS = 250;
/** A copy that is being verified gets this long before others are asked. */
const ARRIVING_PATIENCE_MS = 2_000;
const BLOCKED_RETRY_MS = 20;
const ANSWER_WEIGHT = 0.1;

/** How we came to know that a peer has a message: it announced it, or a comparison of caches showed it. */
export type Lead = 'announcement' | 'digest';

interface Announcer {
  readonly peer: PeerId;
  readonly lead: Lead;
  asks: number;
  askedAtMs: number;
}

interface Missing {
  readonly topic: string;
  readonly announcedAtMs: number;
  readonly announcers: Announcer[];
  next: number;
  attempts: number;
  current: PeerId | undefined;
  /** When the next announcer may be asked. */
  dueMs: number;
  patienceEndsMs: number;
}

/** One question to put. */
export interface Ask {
  readonly peer: PeerId;
  readonly id: string;
}

export interface FoundMessage {
  readonly announcedAtMs: number;
  /** What led to the question that its sender has answered; `null` when it was not asked. */
  readonly lead: Lead | null;
  readonly announcers: ReadonlySet<PeerId>;
  readonly asked: ReadonlySet<PeerId>;
  /** Questions that were put. */
  readonly questions: number;
}

interface PeerState {
  rttMs: number;
  outstanding: number;
  /** The same by topic; a topic of which nothing is outstanding has no entry. */
  readonly outstandingOf: Map<string, number>;
  readonly asked: DecayingCount;
  readonly answered: DecayingCount;
}

/**
 * Messages that others announced and nobody has brought yet: ask the first announcer, after max(80 ms, 2 RTT, twice
 * what answers take of late) the next, at most three times each. Source: PlumTree's missing timers; the ladder of asks after iroh-gossip.
 */
export class MissingMessages {
  readonly #missing = new TopicShares<Missing>();
  readonly #peers = new Map<PeerId, PeerState>();
  #dueMs = Number.POSITIVE_INFINITY;
  #answerMs = 0;
  dropped = 0;
  gaveUp = 0;

  get size(): number {
    return this.#missing.size;
  }

  /** No later than the next moment at which `asks` has something to do; `undefined` when nothing is missing. */
  get dueMs(): number | undefined {
    return this.#missing.size === 0 || this.#dueMs === Number.POSITIVE_INFINITY ? undefined : this.#dueMs;
  }

  peerUp(peer: PeerId, rttMs: number): void {
    this.#peers.set(peer, {
      rttMs,
      outstanding: 0,
      outstandingOf: new Map(),
      asked: new DecayingCount(),
      answered: new DecayingCount(),
    });
  }

  setRtt(peer: PeerId, rttMs: number): void {
    const state = this.#peers.get(peer);
    if (state) state.rttMs = rttMs;
  }

  peerDown(peer: PeerId, nowMs: number): void {
    this.#peers.delete(peer);
    for (const [id, missing] of this.#missing) {
      const at = missing.announcers.findIndex((announcer) => announcer.peer === peer);
      if (at >= 0) missing.announcers.splice(at, 1);
      if (missing.announcers.length === 0) this.#missing.delete(id);
      else if (missing.current === peer) {
        missing.current = undefined;
        this.#schedule(missing, nowMs);
      }
    }
  }

  /** Questions put to this peer and first copies it gave in answer, of late and since its link came up. */
  askTally(peer: PeerId, nowMs: number): { readonly asked: number; readonly answered: number } {
    const state = this.#peers.get(peer);
    return { asked: state?.asked.at(nowMs) ?? 0, answered: state?.answered.at(nowMs) ?? 0 };
  }

  announce(
    id: string,
    {
      peer,
      topic,
      lead,
      graceMs,
      nowMs,
    }: {
      readonly peer: PeerId;
      readonly topic: string;
      readonly lead: Lead;
      readonly graceMs: number;
      readonly nowMs: number;
    },
  ): void {
    const known = this.#missing.get(id);
    if (known) {
      const again = known.announcers.find((announcer) => announcer.peer === peer);
      // It says so again because its answer did not leave: it may be asked once more.
      if (again) again.asks = Math.min(again.asks, MAX_ASKS_PER_PEER - 1);
      if (again || known.announcers.length >= MAX_ANNOUNCERS) return;
      known.announcers.push({ peer, lead, asks: 0, askedAtMs: 0 });
      if (known.current !== undefined)
        this.#schedule(known, Math.min(known.dueMs, Math.max(nowMs, known.patienceEndsMs)));
      return;
    }
    if (this.#missing.size >= MAX_MISSING) {
      const yielding = this.#missing.oldestOfLargest();
      if (yielding !== undefined) this.take(yielding, null, nowMs);
      this.dropped += 1;
    }
    const missing: Missing = {
      topic,
      announcedAtMs: nowMs,
      announcers: [{ peer, lead, asks: 0, askedAtMs: 0 }],
      next: 0,
      attempts: 0,
      current: undefined,
      dueMs: nowMs + graceMs,
      patienceEndsMs: nowMs,
    };
    this.#missing.add(id, missing);
    this.#schedule(missing, missing.dueMs);
  }

  /** A copy came and is being verified. */
  arriving(id: string, nowMs: number): void {
    const missing = this.#missing.get(id);
    if (missing) missing.dueMs = nowMs + ARRIVING_PATIENCE_MS;
  }

  /** The copy that was being verified is not good: ask again at once. */
  abandoned(id: string, nowMs: number): void {
    const missing = this.#missing.get(id);
    if (missing) this.#schedule(missing, nowMs);
  }

  /** How long answers take of late; grows when payloads queue. */
  get answerMs(): number {
    return this.#answerMs;
  }

  /** The message is here, by `from`: gives when it was first announced, who announced it, and who was asked for it. */
  take(id: string, from: PeerId | null, nowMs: number): FoundMessage | undefined {
    const missing = this.#missing.get(id);
    if (!missing) return undefined;
    this.#missing.delete(id);
    this.#release(missing);
    const announcers = new Set<PeerId>();
    const asked = new Set<PeerId>();
    let lead: Lead | null = null;
    for (const { peer, asks, askedAtMs, lead: theirs } of missing.announcers) {
      announcers.add(peer);
      if (asks === 0) continue;
      asked.add(peer);
      if (peer !== from) continue;
      lead = theirs;
      this.#answerMs += (nowMs - askedAtMs - this.#answerMs) * ANSWER_WEIGHT;
      const state = this.#peers.get(peer);
      state?.answered.add(1, nowMs);
    }
    const { announcedAtMs, attempts: questions } = missing;
    return { announcedAtMs, lead, announcers, asked, questions };
  }

  /** The questions whose time has come. */
  asks(nowMs: number): Ask[] {
    if (nowMs < this.#dueMs) return [];
    this.#dueMs = Number.POSITIVE_INFINITY;
    const asks: Ask[] = [];
    for (const [id, missing] of this.#missing) {
      if (missing.dueMs <= nowMs) this.#ask(id, missing, nowMs, asks);
      if (missing.dueMs < this.#dueMs) this.#dueMs = missing.dueMs;
    }
    return asks;
  }

  #ask(id: string, missing: Missing, nowMs: number, asks: Ask[]): void {
    this.#release(missing);
    const { announcers } = missing;
    let willing = false;
    for (let step = 0; step < announcers.length; step += 1) {
      const at = (missing.next + step) % announcers.length;
      const announcer = announcers[at];
      const state = announcer && this.#peers.get(announcer.peer);
      if (!announcer || !state || announcer.asks >= MAX_ASKS_PER_PEER) continue;
      willing = true;
      if (!mayAsk(state, missing.topic)) continue;
      announcer.asks += 1;
      announcer.askedAtMs = nowMs;
      missing.attempts += 1;
      missing.next = at + 1;
      missing.current = announcer.peer;
      missing.patienceEndsMs =
        nowMs +
        Math.max(MIN_PATIENCE_MS, 2 * state.rttMs, Math.min(MAX_PATIENCE_MS, 2 * this.#answerMs)) +
        state.outstanding * PATIENCE_PER_OUTSTANDING_MS;
      const alone = announcers.length === 1 ? SOLE_ANNOUNCER_PATIENCE_MS * announcer.asks : 0;
      missing.dueMs = missing.patienceEndsMs + alone;
      count(state, missing.topic, 1);
      state.asked.add(1, nowMs);
      asks.push({ peer: announcer.peer, id });
      return;
    }
    if (willing) {
      missing.dueMs = nowMs + BLOCKED_RETRY_MS;
      return;
    }
    this.#missing.delete(id);
    this.gaveUp += 1;
    missing.dueMs = Number.POSITIVE_INFINITY;
  }

  #release(missing: Missing): void {
    const state = missing.current === undefined ? undefined : this.#peers.get(missing.current);
    if (state && state.outstanding > 0) count(state, missing.topic, -1);
    missing.current = undefined;
  }

  #schedule(missing: Missing, dueMs: number): void {
    missing.dueMs = dueMs;
    if (dueMs < this.#dueMs) this.#dueMs = dueMs;
  }
}

function mayAsk({ outstanding, outstandingOf }: PeerState, topic: string): boolean {
  if (outstanding < MAX_OUTSTANDING) return true;
  return outstanding < MAX_OUTSTANDING_IN_ALL && (outstandingOf.get(topic) ?? 0) < OUTSTANDING_OF_EACH_TOPIC;
}

function count(state: PeerState, topic: string, change: 1 | -1): void {
  const ofTopic = (state.outstandingOf.get(topic) ?? 0) + change;
  state.outstanding += change;
  if (ofTopic > 0) state.outstandingOf.set(topic, ofTopic);
  else state.outstandingOf.delete(topic);
}
