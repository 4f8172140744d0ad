import type { AgentId, PeerId } from '../transport/transport.ts';

export type LinkRole = 'eager' | 'lazy';

/** Which tree is meant: that of one origin, or without an origin the topic's shared one, where it stands for all. */
export interface TreeName {
  readonly topic: string;
  readonly origin?: AgentId | undefined;
}

/** Up to this many links every peer starts eager, and duplicates prune the tree out of the mesh. */
const ALL_EAGER_LINKS = 13;
/** On larger meshes a tree starts with this many eager links (node constants of saorsa-gossip: 6 to 12, target 8). */
const START_EAGER_LINKS = 8;
/** A link is grafted at most once per back-off, which doubles with each graft until the link has rested. */
const GRAFT_BACKOFF_MS = { first: 5_000, longest: 60_000, forgottenAfter: 120_000 } as const;
/** Without any eager link the tree would live on repair alone, so then one graft a second is allowed. */
const ORPHAN_GRAFT_MS = 1_000;
/** EAGER copies of a pruned link that were on their way are expected for this long. */
const PRUNE_SETTLES_MS = 1_000;
/** First copies that a lazy link must supply by repair before it is grafted: one loss is not a broken tree. */
const REPAIRS_BEFORE_GRAFT = 2;

interface Link {
  role: LinkRole;
  prunedAtMs: number;
  graftedAtMs: number;
  backoffMs: number;
  repairs: number;
  /** Inbound GRAFTs in the current second; more than a few are refused. */
  inboundGrafts: number;
  inboundSinceMs: number;
}

/** The eager and lazy links of one tree: this node's part in how the messages of an origin spread on a topic. */
export class TreeLinks {
  readonly name: TreeName;
  readonly #links = new Map<PeerId, Link>();
  readonly #resting: ReadonlySet<PeerId>;
  #eager = 0;
  #orphanGraftAtMs = Number.NEGATIVE_INFINITY;
  /** When a message last travelled by it; never, so far, when negative infinity. */
  lastUsedMs = Number.NEGATIVE_INFINITY;

  /** `resting` is the topic's own set: who is in it stays lazy here. */
  constructor(name: TreeName, peers: Iterable<PeerId>, resting: ReadonlySet<PeerId>) {
    this.name = name;
    this.#resting = resting;
    const all = [...peers];
    const eager = all.length <= ALL_EAGER_LINKS ? all.length : START_EAGER_LINKS;
    for (const peer of all) {
      const isEager = this.#eager < eager && !resting.has(peer);
      this.#insert(peer, isEager ? 'eager' : 'lazy');
    }
  }

  get eagerCount(): number {
    return this.#eager;
  }

  role(peer: PeerId): LinkRole | undefined {
    return this.#links.get(peer)?.role;
  }

  roles(): MapIterator<[PeerId, { readonly role: LinkRole }]> {
    return this.#links.entries();
  }

  peerUp(peer: PeerId): void {
    const known = this.#links.get(peer);
    const room = this.#links.size < ALL_EAGER_LINKS || this.#eager < START_EAGER_LINKS;
    if (!known) this.#insert(peer, room ? 'eager' : 'lazy');
    else if (room) this.setRole(peer, 'eager'); // a new connection begins anew on both sides
  }

  peerDown(peer: PeerId): void {
    if (this.#links.get(peer)?.role === 'eager') this.#eager -= 1;
    this.#links.delete(peer);
  }

  /** Splits the links, without `except`, into who gets the message and who only hears of it. */
  split(except: PeerId | null): { readonly eager: PeerId[]; readonly lazy: PeerId[] } {
    const eager: PeerId[] = [];
    const lazy: PeerId[] = [];
    for (const [peer, { role }] of this.#links) {
      if (peer !== except) (role === 'eager' ? eager : lazy).push(peer);
    }
    return { eager, lazy };
  }

  /** A resting link stays lazy whatever is asked. */
  setRole(peer: PeerId, role: LinkRole): void {
    const link = this.#links.get(peer);
    if (!link || link.role === role || (this.#resting.has(peer) && role === 'eager')) return;
    link.role = role;
    link.repairs = 0;
    this.#eager += role === 'eager' ? 1 : -1;
  }

  prune(peer: PeerId, nowMs: number): void {
    const link = this.#links.get(peer);
    if (!link) return;
    this.setRole(peer, 'lazy');
    link.prunedAtMs = nowMs;
  }

  /** Whether a copy from this lazy link was surely sent after it could know of the last PRUNE. */
  isPruneSettled(peer: PeerId, nowMs: number): boolean {
    return nowMs - (this.#links.get(peer)?.prunedAtMs ?? nowMs) > PRUNE_SETTLES_MS;
  }

  /** Whether a copy from `peer`, after the first from `first`, shows a link that the tree does not need. */
  isRedundant(peer: PeerId, first: PeerId | null, nowMs: number): boolean {
    const role = this.role(peer);
    if (role === 'lazy') return this.isPruneSettled(peer, nowMs); // it has not heard our PRUNE
    if (role === undefined) return false;
    // Our own: if the peer had ours twice it says so; if this is what it repaired, the link is the one it needs.
    if (first === null) return false;
    // Only while the link of the first copy is in the tree: two messages that cross could prune each other's path.
    return this.role(first) === 'eager';
  }

  /** Counts a first copy that came only because we asked; true when the link has earned its place in the tree. */
  repairedBy(peer: PeerId, questions: number): boolean {
    const link = this.#links.get(peer);
    if (!link || link.role === 'eager' || this.#resting.has(peer)) return false;
    link.repairs += 1;
    // More than one question: neither the tree nor the first announcer has brought it.
    return questions > 1 || link.repairs >= REPAIRS_BEFORE_GRAFT || this.#eager === 0;
  }

  /** Makes a lazy link eager if its back-off allows; the caller sends GRAFT when this is true. */
  graft(peer: PeerId, nowMs: number): boolean {
    const link = this.#links.get(peer);
    if (!link || link.role === 'eager' || this.#resting.has(peer)) return false;
    const rested = nowMs - link.graftedAtMs;
    if (rested < link.backoffMs) {
      if (this.#eager > 0 || nowMs - this.#orphanGraftAtMs < ORPHAN_GRAFT_MS) return false;
      this.#orphanGraftAtMs = nowMs;
    }
    const { first, longest, forgottenAfter } = GRAFT_BACKOFF_MS;
    link.backoffMs = rested > forgottenAfter ? first : Math.min(longest, Math.max(first, link.backoffMs * 2));
    link.graftedAtMs = nowMs;
    this.setRole(peer, 'eager');
    return true;
  }

  /** A peer grafts us: true when accepted, false when it rests or grafts so often that the answer is PRUNE. */
  graftedBy(peer: PeerId, nowMs: number): boolean {
    const link = this.#links.get(peer);
    if (!link || this.#resting.has(peer)) return false;
    if (nowMs - link.inboundSinceMs >= ORPHAN_GRAFT_MS) {
      link.inboundSinceMs = nowMs;
      link.inboundGrafts = 0;
    }
    link.inboundGrafts += 1;
    if (link.inboundGrafts > 2) return false;
    this.setRole(peer, 'eager');
    return true;
  }

  /** The lazy link that was pruned longest ago, to graft when no eager one is left. */
  bestLazy(): PeerId | undefined {
    let best: PeerId | undefined;
    let bestAtMs = Number.POSITIVE_INFINITY;
    for (const [peer, { role, prunedAtMs }] of this.#links) {
      if (role === 'lazy' && !this.#resting.has(peer) && prunedAtMs < bestAtMs)
        [best, bestAtMs] = [peer, prunedAtMs];
    }
    return best;
  }

  #insert(peer: PeerId, role: LinkRole): void {
    const never = Number.NEGATIVE_INFINITY;
    this.#links.set(peer, {
      role,
      prunedAtMs: never,
      graftedAtMs: never,
      backoffMs: 0,
      repairs: 0,
      inboundGrafts: 0,
      inboundSinceMs: never,
    });
    if (role === 'eager') this.#eager += 1;
  }
}
