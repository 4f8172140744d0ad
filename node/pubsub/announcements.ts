import type { PeerId } from '../transport/transport.ts';
import { type ControlFrame, MAX_IDS_PER_FRAME, MAX_TOPICS_PER_FRAME } from './control-frame.ts';

/** IHAVEs wait this long for company (node-wide batches; iroh 5 ms, saorsa 100 ms), giving the tree a head start. */
const FLUSH_MS = 50;
const MAX_PENDING_PER_PEER = 8_192;

interface Pending {
  readonly topic: string;
  readonly hops: number;
}

/** What lazy peers are still to be told, batched per peer. */
export class Announcements {
  readonly #byPeer = new Map<PeerId, Map<string, Pending>>();
  #dueMs: number | undefined;
  dropped = 0;

  get dueMs(): number | undefined {
    return this.#dueMs;
  }

  add(peer: PeerId, id: string, pending: Pending, nowMs: number): void {
    let ids = this.#byPeer.get(peer);
    if (!ids) {
      ids = new Map();
      this.#byPeer.set(peer, ids);
    }
    if (ids.size >= MAX_PENDING_PER_PEER) {
      const oldest = ids.keys().next().value;
      if (oldest !== undefined) ids.delete(oldest);
      this.dropped += 1;
    }
    ids.set(id, pending);
    this.#dueMs ??= nowMs + FLUSH_MS;
  }

  /** The peer has shown that it knows this message, so it need not be told. */
  isKnownBy(peer: PeerId, id: string): void {
    this.#byPeer.get(peer)?.delete(id);
  }

  forget(peer: PeerId): void {
    this.#byPeer.delete(peer);
  }

  /** The IHAVE frames to send now. */
  flush(): { readonly peer: PeerId; readonly frame: ControlFrame }[] {
    const batches: { peer: PeerId; frame: ControlFrame }[] = [];
    for (const [peer, ids] of this.#byPeer) {
      for (const frame of ihaveFrames(ids)) batches.push({ peer, frame });
    }
    this.#byPeer.clear();
    this.#dueMs = undefined;
    return batches;
  }
}

/** IHAVE frames for `ids`, each within the bounds of one frame. */
export function ihaveFrames(ids: Iterable<readonly [string, Pending]>): ControlFrame[] {
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
