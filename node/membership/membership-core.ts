import type { Random } from '../../kit/random.ts';
import type { PeerId, PeerLink, SocketAddress } from '../transport/transport.ts';
import { addressKey } from './address-key.ts';
import type { DialFailure } from './dial-failure.ts';
import type { PeerAddress } from './exchange.ts';
import { PeerBook } from './peer-book.ts';
import { Reconnect, type Standing } from './reconnect.ts';
import { Tombstones } from './tombstones.ts';

/** Failed dials after which a peer known from others only is forgotten: about a minute of trying. */
const MAX_HEARSAY_FAILURES = 6;

/** A dial to begin now. Without `expected`, whoever answers at a configured address is met. */
export interface Dial {
  readonly target: string;
  readonly address: SocketAddress;
  readonly expected: PeerId | null;
  readonly claim: { readonly standing: Standing; readonly address: string };
}

/** Which addresses may be dialled: those that peers tell of or call from as well, or those of the configuration only. */
export type AddressPolicy = 'learnt' | 'configured_only';

type SeenLink = Pick<PeerLink, 'peerId' | 'generation' | 'remote'>;

const PEER = 'peer ';
const peerTarget = (peerId: PeerId): string => `${PEER}${peerId}`;
const ADDRESS = 'address ';
const addressTarget = (address: SocketAddress): string => `${ADDRESS}${addressKey(address)}`;

/**
 * The full mesh as a pure core: every configured peer and every peer learnt from others is to have a link. Links are
 * observed rather than believed: what `observe` is shown is what is connected.
 */
export class MembershipCore {
  readonly #ownId: PeerId;
  readonly #addresses: AddressPolicy;
  readonly #book: PeerBook;
  readonly #reconnect: Reconnect;
  readonly #tombstones = new Tombstones();
  readonly #up = new Map<PeerId, number>();
  readonly #dialledNow = new Map<string, Dial>();

  constructor({
    ownId,
    configured,
    addresses,
    random,
    nowMs,
  }: {
    ownId: PeerId;
    configured: readonly SocketAddress[];
    addresses: AddressPolicy;
    random: Random;
    nowMs: number;
  }) {
    this.#ownId = ownId;
    this.#addresses = addresses;
    this.#reconnect = new Reconnect(random);
    this.#book = new PeerBook(configured, {
      onForget: (peerId) => this.#reconnect.forget(peerTarget(peerId)),
    });
    for (const address of configured) this.#reconnect.follow(addressTarget(address), nowMs);
  }

  /** Takes all live links as they are now; gives those that are new since the last call. */
  observe<L extends SeenLink>(links: readonly L[], nowMs: number): readonly L[] {
    const fresh = links.filter(({ peerId, generation }) => this.#up.get(peerId) !== generation);
    const live = new Set(links.map(({ peerId }) => peerId));
    for (const peerId of this.#up.keys()) {
      if (live.has(peerId)) continue;
      this.#up.delete(peerId);
      if (this.#book.knows(peerId)) this.#reconnect.lost(peerTarget(peerId), nowMs);
      else this.#reconnect.forget(peerTarget(peerId)); // a full book had no place for it
    }
    for (const { peerId, generation, remote } of fresh) {
      this.#up.set(peerId, generation);
      this.#meet(peerId, remote);
      this.#reconnect.up(peerTarget(peerId), nowMs);
    }
    return fresh;
  }

  /** Begins every dial that is due. Each must be answered by `dialSucceeded` or `dialFailed`. */
  due(nowMs: number): readonly Dial[] {
    const dials = this.#reconnect.take(nowMs, (target, failures) => this.#dialTo(target, failures, nowMs));
    for (const dial of dials) this.#dialledNow.set(dial.target, dial);
    return dials;
  }

  dialSucceeded(dial: Dial, peerId: PeerId, nowMs: number): void {
    this.#dialledNow.delete(dial.target);
    if (peerId === this.#ownId) {
      this.dialFailed(dial, 'self', nowMs);
      return;
    }
    this.#meet(peerId, dial.address);
    this.#reconnect.succeeded(dial.target, nowMs);
    this.#reconnect.followMet(peerTarget(peerId), nowMs);
  }

  dialFailed(dial: Dial, failure: DialFailure, nowMs: number): void {
    this.#dialledNow.delete(dial.target);
    const failures = this.#reconnect.failed(dial.target, nowMs);
    if (failure === 'wrong_peer' && dial.expected !== null) {
      this.#book.mismatched(dial.expected, dial.address);
      for (const address of this.#book.unidentified()) this.#reconnect.follow(addressTarget(address), nowMs);
    } else if (failure !== 'retry' && failure !== 'wrong_peer') {
      this.#tombstones.bury(dial.target, failure, nowMs);
    } else if (
      dial.claim.standing === 'hearsay' &&
      dial.expected !== null &&
      failures >= MAX_HEARSAY_FAILURES
    ) {
      this.#book.forget(dial.expected);
    }
  }

  /** Somebody waits for a link to `peerId`: its back-off ends. Gives false for a peer that could not be dialled. */
  wanted(peerId: PeerId, nowMs: number): boolean {
    if (!this.#book.knows(peerId)) return false;
    this.#reconnect.hurry(peerTarget(peerId), nowMs);
    return true;
  }

  /** A live link says where its own peer listens, or what peers it knows. Gives how many were new. */
  heard(peers: readonly PeerAddress[], nowMs: number): number {
    if (this.#addresses === 'configured_only') return 0;
    let news = 0;
    for (const { peerId, address } of peers) {
      if (peerId === this.#ownId) continue;
      const learnt = this.#book.learn(peerId, address);
      if (learnt === 'known' || learnt === 'refused') continue;
      news += 1;
      const target = peerTarget(peerId);
      this.#reconnect.follow(target, nowMs);
      if (learnt === 'new_address') this.#reconnect.reset(target, nowMs);
    }
    return news;
  }

  snapshot(nowMs: number, maxRows: number) {
    const book = this.#book;
    return {
      configuredAddresses: book.configuredCount,
      unidentifiedAddresses: book
        .unidentified()
        .filter((address) => !this.#tombstones.isBuried(addressTarget(address), nowMs))
        .map(addressKey)
        .slice(0, maxRows),
      knownPeers: book.size,
      connectedPeers: this.#up.size,
      dialsInFlight: [...this.#dialledNow.values()].map(({ address }) => addressKey(address)),
      waiting: this.#reconnect.waiting(nowMs, maxRows),
      tombstones: this.#tombstones.list(nowMs).slice(0, maxRows),
      peersEvictedTotal: book.evictedPeers,
      peersRefusedTotal: book.refusedPeers,
      addressesDroppedTotal: book.droppedAddresses,
    };
  }

  /** `peerId` is proven to be at `address`; whoever was configured there need not be looked for any more. */
  #meet(peerId: PeerId, address: SocketAddress): void {
    this.#tombstones.lift(peerTarget(peerId));
    // Where a peer calls from says nothing about where it may be dialled when only the configured ways count.
    if (this.#addresses === 'configured_only' && !this.#book.isConfigured(address)) return;
    this.#book.reached(peerId, address);
    this.#tombstones.lift(addressTarget(address));
    this.#reconnect.forget(addressTarget(address));
  }

  #dialTo(target: string, failures: number, nowMs: number): Dial | null {
    if (this.#tombstones.isBuried(target, nowMs)) return null;
    if (target.startsWith(ADDRESS)) {
      const address = this.#book.unidentifiedAt(target.slice(ADDRESS.length));
      if (address === undefined) return null;
      return {
        target,
        address,
        expected: null,
        claim: { standing: 'configured', address: addressKey(address) },
      };
    }
    const expected = target.slice(PEER.length);
    if (this.#up.has(expected)) return null;
    // An address that is configured and unidentified is dialled as such: two dials would meet the same peer.
    const addresses = this.#book.addressesOf(expected).filter((known) => !this.#book.isUnidentified(known));
    // So would one to any address of a peer that is being dialled at another, begun before its identity was known.
    if (this.#book.addressesOf(expected).some((known) => this.#isDialled(known))) return null;
    const address = addresses[failures % Math.max(1, addresses.length)];
    if (address === undefined) return null;
    const standing = this.#book.wasReached(expected) ? 'met' : 'hearsay';
    return { target, address, expected, claim: { standing, address: addressKey(address) } };
  }

  #isDialled(address: SocketAddress): boolean {
    const key = addressKey(address);
    return [...this.#dialledNow.values()].some((dial) => dial.claim.address === key);
  }
}
