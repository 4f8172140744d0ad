import { BoundedMap } from '../../kit/bounded.ts';
import type { PeerId } from '../transport/transport.ts';
import {
  AntiEntropyRounds,
  answerBuckets,
  answerSummary,
  lackingFrames,
  summaryFrames,
} from './anti-entropy.ts';
import type { ControlFrame } from './control-frame.ts';
import { type GossipEffect, NOTHING, toOne } from './gossip-effect.ts';
import type { MessageCache } from './message-cache.ts';
import type { TopicTable } from './topic-table.ts';

const MAX_PEERS_COUNTED = 1_024;

/** What comparing caches with one peer came to since this node started, across its connections. */
interface PeerRounds {
  /** Comparisons that either side opened. */
  rounds: number;
  /** First copies that came because a digest of this peer told of them. */
  repaired: number;
  lastRoundMs: number | null;
}

interface ReconciliationModules {
  readonly cache: MessageCache;
  readonly topics: TopicTable;
}

/** Anti-entropy with each peer in turn, and at once with one that is new or back from a silence. */
export class Reconciliation {
  readonly #modules: ReconciliationModules;
  readonly #rounds: AntiEntropyRounds;
  readonly byPeer = new BoundedMap<PeerId, PeerRounds>({ max: MAX_PEERS_COUNTED });

  constructor(options: { readonly firstRound: number }, modules: ReconciliationModules) {
    this.#rounds = new AntiEntropyRounds(options.firstRound);
    this.#modules = modules;
  }

  get dueMs(): number | undefined {
    return this.#hasToCompare() ? this.#rounds.dueMs : undefined;
  }

  /** The cache has its first message: the next round is one interval away. */
  begin(nowMs: number): void {
    this.#rounds.restart(nowMs);
  }

  /** Opens a comparison with `peer` now. */
  open(peer: PeerId, nowMs: number): readonly GossipEffect[] {
    const frames = summaryFrames(this.#modules.cache);
    if (frames.length === 0) return NOTHING;
    this.#count(peer, nowMs);
    return toOne(peer, frames);
  }

  tick(nowMs: number): readonly GossipEffect[] {
    const peer = this.#hasToCompare() ? this.#rounds.next(this.#modules.topics.peers, nowMs) : undefined;
    return peer === undefined ? NOTHING : this.open(peer, nowMs);
  }

  /** What to say to a frame of a comparison. The ids that a digest tells of are the caller's to ask for. */
  answer(
    peer: PeerId,
    frame: Extract<ControlFrame, { kind: 'summary' | 'buckets' | 'digest' }>,
    nowMs: number,
  ): readonly GossipEffect[] {
    const { cache } = this.#modules;
    if (frame.kind === 'buckets') return toOne(peer, answerBuckets(cache, frame.topic, frame.setHashes));
    if (frame.kind === 'digest') return toOne(peer, lackingFrames(cache, frame));
    this.#count(peer, nowMs);
    return toOne(peer, answerSummary(cache, frame.topics));
  }

  /** `peer` brought a message that we learnt of by its digest. */
  repairedBy(peer: PeerId): void {
    this.#of(peer).repaired += 1;
  }

  #count(peer: PeerId, nowMs: number): void {
    const rounds = this.#of(peer);
    rounds.rounds += 1;
    rounds.lastRoundMs = nowMs;
  }

  #of(peer: PeerId): PeerRounds {
    let rounds = this.byPeer.get(peer);
    if (!rounds) {
      rounds = { rounds: 0, repaired: 0, lastRoundMs: null };
      this.byPeer.set(peer, rounds);
    }
    return rounds;
  }

  #hasToCompare(): boolean {
    return this.#modules.cache.count > 0 && this.#modules.topics.peers.size > 0;
  }
}
