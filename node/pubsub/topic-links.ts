import type { PeerId } from '../transport/transport.ts';

export type LinkRole = 'eager' | 'lazy';

/** Up to this many links every peer starts eager, and duplicates prune the tree out of the mesh. */
const ALL_EAGER_LINKS = 13;
/** On larger meshes a topic starts with this many eager links (node constants of saorsa-gossip: 6 to 12, target 8). */
const START_EAGER_LINKS = 8;
/** A link is grafted at most once per back-off, which doubles with each graft until the link has rested. */
const GRAFT_BACKOFF_MS = { first: 5_000, longest: 60_000, forgottenAfter: 120_000 } as const;
/** Without any eager link the topic would live on repair alone, so then one graft a second is allowed. */
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
  /** Kept out of the tree until `wake`: too slow for it on this topic. */
  isResting: boolean;
  /** Inbound GRAFTs in the current second; more than a few are refused. */
  inboundGrafts: number;
  inboundSinceMs: number;
}

/** The eager and lazy links of one topic: this node's part of the topic's broadcast tree. */
export class TopicLinks {
  readonly #links = new Map<PeerId, Link>();
  #eager = 0;
  #resting = 0;
  #orphanGraftAtMs = Number.NEGATIVE_INFINITY;
  lastUsedMs: number;

  constructor(peers: Iterable<PeerId>, nowMs: number) {
    this.lastUsedMs = nowMs;
    const all = [...peers];
    const eager = all.length <= ALL_EAGER_LINKS ? all.length : START_EAGER_LINKS;
    for (const [at, peer] of all.entries()) this.#insert(peer, at < eager ? 'eager' : 'lazy');
  }

  get eagerCount(): number {
    return this.#eager;
  }

  get restingCount(): number {
    return this.#resting;
  }

  /** Links that may be of the tree. */
  get awakeCount(): number {
    return this.#links.size - this.#resting;
  }

  isResting(peer: PeerId): boolean {
    return this.#links.get(peer)?.isResting ?? false;
  }

  peers(): MapIterator<PeerId> {
    return this.#links.keys();
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
    this.wake(peer);
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
    if (!link || link.role === role || (link.isResting && role === 'eager')) return;
    link.role = role;
    link.repairs = 0;
    this.#eager += role === 'eager' ? 1 : -1;
  }

  rest(peer: PeerId, nowMs: number): void {
    const link = this.#links.get(peer);
    if (!link || link.isResting) return;
    this.prune(peer, nowMs);
    link.isResting = true;
    this.#resting += 1;
  }

  /** The link is an ordinary lazy one again. */
  wake(peer: PeerId): void {
    const link = this.#links.get(peer);
    if (!link?.isResting) return;
    link.isResting = false;
    this.#resting -= 1;
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
    // Only while the link of the first copy is in the tree: two messages that cross could prune each other's path.
    return first === null ? this.#eager > 1 : this.role(first) === 'eager';
  }

  /** Counts a first copy that came only because we asked; true when the link has earned its place in the tree. */
  repairedBy(peer: PeerId): boolean {
    const link = this.#links.get(peer);
    if (!link || link.role === 'eager' || link.isResting) return false;
    link.repairs += 1;
    return link.repairs >= REPAIRS_BEFORE_GRAFT || this.#eager === 0;
  }

  /** Makes a lazy link eager if its back-off allows; the caller sends GRAFT when this is true. */
  graft(peer: PeerId, nowMs: number): boolean {
    const link = this.#links.get(peer);
    if (!link || link.role === 'eager' || link.isResting) return false;
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
    if (!link || link.isResting) return false;
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
    for (const [peer, { role, prunedAtMs, isResting }] of this.#links) {
      if (role === 'lazy' && !isResting && prunedAtMs < bestAtMs) [best, bestAtMs] = [peer, prunedAtMs];
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
      isResting: false,
      inboundGrafts: 0,
      inboundSinceMs: never,
    });
    if (role === 'eager') this.#eager += 1;
  }
}
