import { UsageError } from '../../kit/errors.ts';
import type { PeerId, SocketAddress } from '../transport/transport.ts';
import { addressKey } from './address-key.ts';

const MAX_PEERS = 4_096;
const MAX_ADDRESSES_PER_PEER = 8;

interface KnownPeer {
  /** Proven ones first, the most recently proven at the head; then hearsay in the order of its arrival. */
  addresses: readonly { readonly address: SocketAddress; readonly proven: boolean }[];
  reached: boolean;
}

export type Learnt = 'new_peer' | 'new_address' | 'known' | 'refused';

/**
 * Who is where: configured addresses, whose peer is unknown until it has answered, and peers with their addresses.
 * Pure and bounded: 4,096 peers of 8 addresses. A full book forgets the oldest peer known by hearsay only, and
 * refuses newcomers when it has none.
 */
export class PeerBook {
  readonly #configured = new Map<string, { readonly address: SocketAddress; peerId: PeerId | null }>();
  readonly #peers = new Map<PeerId, KnownPeer>();
  readonly #maxPeers: number;
  readonly #onForget: (peerId: PeerId) => void;
  evictedPeers = 0;
  refusedPeers = 0;
  droppedAddresses = 0;

  /** @throws UsageError `TOO_MANY_KNOWN_PEERS` */
  constructor(
    configured: readonly SocketAddress[],
    {
      onForget = () => {},
      maxPeers = MAX_PEERS,
    }: { onForget?: (peerId: PeerId) => void; maxPeers?: number } = {},
  ) {
    if (configured.length > MAX_PEERS) {
      throw new UsageError(
        'TOO_MANY_KNOWN_PEERS',
        `${configured.length} known peers; ${MAX_PEERS} are allowed`,
      );
    }
    for (const address of configured) this.#configured.set(addressKey(address), { address, peerId: null });
    this.#maxPeers = maxPeers;
    this.#onForget = onForget;
  }

  get size(): number {
    return this.#peers.size;
  }

  /** Configured addresses of which nobody has answered yet, in order of configuration. */
  unidentified(): readonly SocketAddress[] {
    return [...this.#configured.values()]
      .filter(({ peerId }) => peerId === null)
      .map(({ address }) => address);
  }

  get configuredCount(): number {
    return this.#configured.size;
  }

  isConfigured(address: SocketAddress): boolean {
    return this.#configured.has(addressKey(address));
  }

  /** The configured address of this key, while nobody has answered there. */
  unidentifiedAt(key: string): SocketAddress | undefined {
    const configured = this.#configured.get(key);
    return configured?.peerId === null ? configured.address : undefined;
  }

  isUnidentified(address: SocketAddress): boolean {
    return this.unidentifiedAt(addressKey(address)) !== undefined;
  }

  knows(peerId: PeerId): boolean {
    return this.#peers.has(peerId);
  }

  wasReached(peerId: PeerId): boolean {
    return this.#peers.get(peerId)?.reached === true;
  }

  /** Where to dial `peerId`, the best first. */
  addressesOf(peerId: PeerId): readonly SocketAddress[] {
    return this.#peers.get(peerId)?.addresses.map(({ address }) => address) ?? [];
  }

  /** Somebody says that `peerId` listens at `address`; nothing proves it. */
  learn(peerId: PeerId, address: SocketAddress): Learnt {
    const peer = this.#peers.get(peerId);
    if (peer === undefined) {
      if (!this.#makeRoom()) return 'refused';
      this.#peers.set(peerId, { addresses: [{ address, proven: false }], reached: false });
      return 'new_peer';
    }
    const key = addressKey(address);
    if (peer.addresses.some((known) => addressKey(known.address) === key)) return 'known';
    if (peer.addresses.length >= MAX_ADDRESSES_PER_PEER) {
      this.droppedAddresses += 1;
      if (peer.addresses.every(({ proven }) => proven)) return 'refused';
    }
    peer.addresses = [...peer.addresses.slice(0, MAX_ADDRESSES_PER_PEER - 1), { address, proven: false }];
    return 'new_address';
  }

  /** `peerId` answered at `address`, or called from it: whoever is configured there is this peer. */
  reached(peerId: PeerId, address: SocketAddress): void {
    this.learn(peerId, address);
    const peer = this.#peers.get(peerId);
    if (peer === undefined) return; // refused: the book is full
    const key = addressKey(address);
    const configured = this.#configured.get(key);
    if (configured) configured.peerId = peerId;
    peer.reached = true;
    const others = peer.addresses.filter((known) => addressKey(known.address) !== key);
    peer.addresses = [{ address, proven: true }, ...others].slice(0, MAX_ADDRESSES_PER_PEER);
  }

  /** Somebody other than `peerId` answers at `address`. A configured address may then be anybody's again. */
  mismatched(peerId: PeerId, address: SocketAddress): void {
    const key = addressKey(address);
    const configured = this.#configured.get(key);
    if (configured?.peerId === peerId) configured.peerId = null;
    const peer = this.#peers.get(peerId);
    if (peer === undefined) return;
    peer.addresses = peer.addresses.filter((known) => addressKey(known.address) !== key);
    if (peer.addresses.length === 0) this.forget(peerId);
  }

  /** Forgets a peer; the configured addresses where it was are anybody's again. */
  forget(peerId: PeerId): void {
    if (!this.#peers.delete(peerId)) return;
    for (const configured of this.#configured.values()) {
      if (configured.peerId === peerId) configured.peerId = null;
    }
    this.#onForget(peerId);
  }

  #makeRoom(): boolean {
    if (this.#peers.size < this.#maxPeers) return true;
    for (const [peerId, { reached }] of this.#peers) {
      if (reached) continue;
      this.evictedPeers += 1;
      this.forget(peerId);
      return true;
    }
    this.refusedPeers += 1;
    return false;
  }
}
