import type { PeerId } from '../transport/transport.ts';
import { type ControlFrame, MAX_IDS_PER_FRAME, MAX_TOPICS_PER_FRAME } from './control-frame.ts';

/** No message is announced younger than this (iroh 5 ms, saorsa 100 ms): the tree gets a head start. */
const HEAD_START_MS = 50;
/**
 * Batches form for this long. A frame per lazy link and message costs more than the tree itself, so batches grow while
 * they have something to gather and nobody needs them; while somebody does, repair starts after the shortest.
 */
const BATCH_MS = { shortest: 50, longest: 400 } as const;
const BATCH_GROWTH = 1.2;
const WORTHWHILE_BATCH = 2;
const MAX_PENDING_PER_PEER = 8_192;

interface Told {
  readonly topic: string;
  readonly hops: number;
}

interface Pending extends Told {
  readonly sinceMs: number;
}

/** What lazy peers are still to be told, batched per peer. */
export class Announcements {
  readonly #byPeer = new Map<PeerId, Map<string, Pending>>();
  /** Batches last this share longer, so that neighbours do not tell each other the same at the same time. */
  readonly #stretch: number;
  #batchMs: number = BATCH_MS.shortest;
  #dueMs: number | undefined;
  dropped = 0;

  /** `stretch` from 0 to 1 sets this node's batches apart from its neighbours'. */
  constructor(stretch = 0) {
    this.#stretch = 1 + stretch / 2;
  }

  get dueMs(): number | undefined {
    return this.#dueMs;
  }

  add(peers: readonly PeerId[], id: string, told: Told, nowMs: number): void {
    if (peers.length === 0) return;
    for (const peer of peers) {
      const ids = this.#of(peer);
      if (ids.size >= MAX_PENDING_PER_PEER) {
        const oldest = ids.keys().next().value;
        if (oldest !== undefined) ids.delete(oldest);
        this.dropped += 1;
      }
      ids.set(id, { ...told, sinceMs: nowMs });
    }
    this.#dueMs ??= nowMs + this.#batchMs * this.#stretch;
  }

  /** The peer has shown that it knows this message, so it need not be told. */
  isKnownBy(peer: PeerId, id: string): void {
    this.#byPeer.get(peer)?.delete(id);
  }

  /** A link of the tree is gone: what waits is told now, and what follows soon. */
  treeBroke(nowMs: number): void {
    this.#batchMs = BATCH_MS.shortest;
    if (this.#dueMs !== undefined) this.#dueMs = Math.min(this.#dueMs, nowMs);
  }

  /** Somebody had to ask for a message: one such may be chance, several bring the batches down to their shortest. */
  treeMissed(nowMs: number): void {
    this.#batchMs = Math.max(BATCH_MS.shortest, this.#batchMs / 2);
    if (this.#dueMs !== undefined) this.#dueMs = Math.min(this.#dueMs, nowMs + this.#batchMs);
  }

  forget(peer: PeerId): void {
    this.#byPeer.delete(peer);
  }

  /** The IHAVE frames to send now. */
  flush(nowMs: number): { readonly peer: PeerId; readonly frame: ControlFrame }[] {
    const batches: { peer: PeerId; frame: ControlFrame }[] = [];
    let largest = 0;
    let youngestMs = Number.NEGATIVE_INFINITY;
    for (const [peer, ids] of this.#byPeer) {
      const ripe: [string, Told][] = [];
      for (const [id, pending] of ids) {
        if (pending.sinceMs + HEAD_START_MS <= nowMs) ripe.push([id, pending]);
        else youngestMs = Math.max(youngestMs, pending.sinceMs);
      }
      largest = Math.max(largest, ripe.length);
      for (const frame of ihaveFrames(ripe)) batches.push({ peer, frame });
      for (const [id] of ripe) ids.delete(id);
      if (ids.size === 0) this.#byPeer.delete(peer);
    }
    this.#pace(largest);
    const isLeft = youngestMs > Number.NEGATIVE_INFINITY;
    this.#dueMs = isLeft
      ? Math.max(youngestMs + HEAD_START_MS, nowMs + this.#batchMs * this.#stretch)
      : undefined;
    return batches;
  }

  /** By what was told, not by what came: what is still too young now is of the next batch. */
  #pace(largest: number): void {
    const isWorthwhile = largest >= WORTHWHILE_BATCH;
    this.#batchMs = isWorthwhile
      ? Math.min(BATCH_MS.longest, this.#batchMs * BATCH_GROWTH)
      : Math.max(BATCH_MS.shortest, this.#batchMs / 2);
  }

  #of(peer: PeerId): Map<string, Pending> {
    let ids = this.#byPeer.get(peer);
    if (!ids) {
      ids = new Map();
      this.#byPeer.set(peer, ids);
    }
    return ids;
  }
}

/** IHAVE frames for `ids`, each within the bounds of one frame. */
function ihaveFrames(ids: Iterable<readonly [string, Told]>): ControlFrame[] {
  const frames: ControlFrame[] = [];
  let topics = new Map<string, { id: string; hops: number }[]>();
  let count = 0;
  const close = () => {
    if (count === 0) return;
    frames.push({ kind: 'ihave', topics: [...topics].map(([topic, entries]) => ({ topic, entries })) });
    topics = new Map();
    count = 0;
  };
  for (const [id, { topic, hops }] of ids) {
    if (count >= MAX_IDS_PER_FRAME || (topics.size >= MAX_TOPICS_PER_FRAME && !topics.has(topic))) close();
    const entries = topics.get(topic);
    if (entries) entries.push({ id, hops });
    else topics.set(topic, [{ id, hops }]);
    count += 1;
  }
  close();
  return frames;
}
