import type { PeerId } from '../transport/transport.ts';

/**
 * An answer later than this is a timeout. Fixed on purpose: a limit that learns from its samples learns the fault too.
 * 1.3 s, the quickest of a link delayed by 1500 ± 200 ms, is above it; 0.56 s, the slowest of 250 ± 30 ms each way,
 * is below it, and what a lost packet adds there happens once, not five times in a row.
 */
const ANSWER_WITHIN_MS = 1_000;
/** Frames sent within this time share an echo. */
const FIRST_AFTER_MS = 250;
/** While answers are timely, no more than one echo per link in this time. */
const EVERY_MS = 1_500;
/** Unanswered echoes in a row are followed by the next at once up to this many, so that one burst is enough to tell. */
const FOLLOW_UPS = 5;
/** From here on a link is suspect, and the other links are asked too: is it the peer, or is it us? */
const SUSPECT_AFTER = 2;
/** Late answers are heard too, so a link that is merely slow is never silent. With `EVERY_MS` a dead peer is found within 5 s. */
const SILENT_AFTER_MS = 3_000;
const VERDICT_KEPT_MS = 30_000;
/** When we look later than this, the answer may lie unread behind the work that kept us. */
const LATE_LOOK_MS = 100;
const RESPITE_MS = 250;
const MAX_TOPICS = 4_096;

interface Asked {
  readonly number: number;
  readonly atMs: number;
  readonly topics: ReadonlySet<string>;
  dueMs: number;
  respites: number;
}

interface Watched {
  lastNumber: number;
  asked: Asked | undefined;
  /** Topics sent on since the last echo, which the next one covers. */
  topics: Set<string>;
  nextAtMs: number;
  lastAskedMs: number;
  slowInARow: number;
  slowSinceMs: number;
  heardMs: number;
  isSilent: boolean;
  verdict: { readonly isTimely: boolean; readonly atMs: number } | undefined;
  /** It has given an echo back, however late. */
  hasAnswered: boolean;
}

/** What follows: put the echo `number` to the peer; what was sent on `topics` got through in time, or did not. */
export type EchoOutcome =
  | { readonly type: 'ask'; readonly peer: PeerId; readonly number: number }
  | { readonly type: 'confirmed'; readonly peer: PeerId; readonly topics: ReadonlySet<string> }
  | {
      readonly type: 'timedOut';
      readonly peer: PeerId;
      readonly topics: ReadonlySet<string>;
      /** Nothing at all came for 3 s and more, not even a late answer. */
      readonly isSilent: boolean;
    };

const NOT_DUE = Number.POSITIVE_INFINITY;

/**
 * Tells whether a link carries what it is given, and how soon. QUIC takes a frame into its buffer whatever the path
 * does, so links that are sent on are asked for an echo now and then: nothing on a quiet mesh, two small frames per
 * link and 1.5 s on a busy one. See "Slow peers" in this room's README. Pure: time comes in, outcomes go out.
 */
export class EchoWatch {
  readonly #peers = new Map<PeerId, Watched>();
  #dueMs = NOT_DUE;
  /** Times that a topic was not covered because an echo covers 4,096 at most. */
  uncovered = 0;

  /** No later than the next moment at which `tick` has something to do. */
  get dueMs(): number | undefined {
    return this.#dueMs === NOT_DUE ? undefined : this.#dueMs;
  }

  /** A new connection: what was asked over the last one is void. */
  peerUp(peer: PeerId): void {
    const known = this.#peers.get(peer);
    this.#peers.set(peer, {
      lastNumber: known?.lastNumber ?? 0,
      asked: undefined,
      topics: new Set(),
      nextAtMs: NOT_DUE,
      lastAskedMs: Number.NEGATIVE_INFINITY,
      slowInARow: 0,
      slowSinceMs: 0,
      heardMs: Number.NEGATIVE_INFINITY,
      isSilent: false,
      verdict: undefined,
      hasAnswered: known?.hasAnswered ?? false,
    });
  }

  peerDown(peer: PeerId): void {
    this.#peers.delete(peer);
  }

  /** Something of `topic` went to `peer`. */
  sent(peer: PeerId, topic: string, nowMs: number): void {
    const watched = this.#peers.get(peer);
    if (!watched) return;
    if (watched.topics.size < MAX_TOPICS) watched.topics.add(topic);
    else if (!watched.topics.has(topic)) this.uncovered += 1;
    this.#plan(watched, nowMs);
  }

  /** As `sent`, for the one message that a link is tried with: its outcome is told whatever the bound. */
  tried(peer: PeerId, topic: string, nowMs: number): void {
    const watched = this.#peers.get(peer);
    watched?.topics.add(topic);
    if (watched) this.#plan(watched, nowMs);
  }

  /** A frame came from `peer`; true when it ends a silence, so that both sides may lack what was lost in it. */
  heard(peer: PeerId, nowMs: number): boolean {
    const watched = this.#peers.get(peer);
    if (!watched) return false;
    watched.heardMs = nowMs;
    if (!watched.isSilent) return false;
    watched.isSilent = false;
    return true;
  }

  /** The peer gave an echo back. One that nobody waits for, or no longer, only says that the peer answers. */
  answered(peer: PeerId, number: number, nowMs: number): readonly EchoOutcome[] {
    const watched = this.#peers.get(peer);
    if (watched) watched.hasAnswered = true;
    if (watched?.asked?.number !== number) return [];
    const { topics } = watched.asked;
    watched.asked = undefined;
    watched.slowInARow = 0;
    watched.verdict = { isTimely: true, atMs: nowMs };
    if (watched.topics.size > 0) this.#plan(watched, nowMs);
    return [{ type: 'confirmed', peer, topics }];
  }

  tick(nowMs: number): readonly EchoOutcome[] {
    if (nowMs < this.#dueMs) return [];
    const outcomes: EchoOutcome[] = [];
    for (const [peer, watched] of this.#peers) {
      const topics = this.#overdue(watched, nowMs);
      if (topics) outcomes.push({ type: 'timedOut', peer, topics, isSilent: watched.isSilent });
      if (topics && watched.slowInARow === SUSPECT_AFTER) this.#askTheOthers(watched.slowSinceMs, nowMs);
    }
    this.#dueMs = NOT_DUE;
    for (const [peer, watched] of this.#peers) {
      if (!watched.asked && watched.nextAtMs <= nowMs) outcomes.push(this.#ask(peer, watched, nowMs));
      this.#dueMs = Math.min(this.#dueMs, watched.asked?.dueMs ?? watched.nextAtMs);
    }
    return outcomes;
  }

  /** Whether the last echoes to `peer` stayed unanswered in time. */
  isSuspect(peer: PeerId): boolean {
    return (this.#peers.get(peer)?.slowInARow ?? 0) >= SUSPECT_AFTER;
  }

  /**
   * Whether more links are slow than not, so that the fault is likelier ours than all of theirs. After the local
   * health of Lifeguard (Dadgar, Phillips, Currey 2017). Who never answered at all has no vote: a peer is free to make,
   * and enough mute ones would keep every link from resting.
   */
  isOwnFault(nowMs: number): boolean {
    let [slow, timely] = [0, 0];
    for (const { verdict, hasAnswered } of this.#peers.values()) {
      if (!hasAnswered || !verdict || nowMs - verdict.atMs > VERDICT_KEPT_MS) continue;
      if (verdict.isTimely) timely += 1;
      else slow += 1;
    }
    return slow > 1 && slow > timely;
  }

  /** Takes a timeout into account; gives the topics that the echo covered, or `undefined` when none is overdue. */
  #overdue(watched: Watched, nowMs: number): ReadonlySet<string> | undefined {
    const { asked } = watched;
    if (!asked || nowMs < asked.dueMs) return undefined;
    if (nowMs - asked.dueMs > LATE_LOOK_MS && asked.respites === 0) {
      asked.respites += 1;
      asked.dueMs = nowMs + RESPITE_MS;
      return undefined;
    }
    watched.asked = undefined;
    if (watched.slowInARow === 0) watched.slowSinceMs = asked.atMs;
    watched.slowInARow += 1;
    watched.verdict = { isTimely: false, atMs: nowMs };
    if (nowMs - Math.max(watched.heardMs, watched.slowSinceMs) >= SILENT_AFTER_MS) watched.isSilent = true;
    if (watched.slowInARow < FOLLOW_UPS) {
      for (const topic of asked.topics) watched.topics.add(topic);
      this.#askAt(watched, nowMs);
    } else if (watched.isSilent || watched.topics.size > 0) {
      // A silent link is asked on: the question is also what makes QUIC try the path again.
      this.#askAt(watched, nowMs + EVERY_MS);
    }
    return asked.topics;
  }

  /** What they answered before the trouble began says nothing of it: we may have become slow since then. */
  #askTheOthers(troubledSinceMs: number, nowMs: number): void {
    for (const other of this.#peers.values()) {
      const isFresh = other.verdict !== undefined && other.verdict.atMs >= troubledSinceMs;
      if (!other.asked && !isFresh) this.#askAt(other, nowMs);
    }
  }

  #ask(peer: PeerId, watched: Watched, nowMs: number): EchoOutcome {
    watched.lastNumber = (watched.lastNumber + 1) >>> 0;
    const { lastNumber: number, topics } = watched;
    watched.asked = { number, atMs: nowMs, topics, dueMs: nowMs + ANSWER_WITHIN_MS, respites: 0 };
    watched.topics = new Set();
    watched.nextAtMs = NOT_DUE;
    watched.lastAskedMs = nowMs;
    return { type: 'ask', peer, number };
  }

  #plan(watched: Watched, nowMs: number): void {
    if (watched.asked || watched.nextAtMs !== NOT_DUE) return;
    this.#askAt(watched, Math.max(nowMs + FIRST_AFTER_MS, watched.lastAskedMs + EVERY_MS));
  }

  #askAt(watched: Watched, atMs: number): void {
    watched.nextAtMs = Math.min(watched.nextAtMs, atMs);
    this.#dueMs = Math.min(this.#dueMs, watched.nextAtMs);
  }
}
