import type { Clock } from '../../kit/clock.ts';
import { withinBudget } from '../../kit/deadline.ts';
import { codeOf } from '../../kit/errors.ts';
import type { Random } from '../../kit/random.ts';
import { RateAllowance } from '../../kit/rate-allowance.ts';
import type { PeerId, PeerLink, Transport } from '../transport/transport.ts';
import { decodePeers, encodePeers, MAX_PEERS_PER_FRAME, type PeerAddress } from './exchange.ts';
import { dialableAddress, HEARSAY_REFUSALS, whyRefuseHearsay } from './hearsay.ts';
import type { MembershipLog } from './membership-log.ts';

/** Peers frames: an honest peer sends one per new link and one each 30 s. */
const INTAKE_RATE = { windowMs: 10_000, perWindow: 8, maxKeys: 4_096 } as const;

const REPEAT_EVERY_MS = 30_000; // to one peer: repairs a lost frame, and tells large meshes of more than 64
const SEND_BUDGET_MS = 5_000;

interface Modules {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: MembershipLog;
}

/** Where the peers of `links` say that they listen, as far as `ownId` or others could dial it. */
export function listenersOf(links: readonly PeerLink[], ownId: PeerId): readonly PeerAddress[] {
  return links.flatMap(({ peerId, listenAddress, remote }) => {
    const peer = { peerId, address: dialableAddress(listenAddress, remote) };
    return whyRefuseHearsay(peer, { ownId, teller: remote }) === null ? [peer] : [];
  });
}

/** Tells peers of the peers that this node has live links to, and reads what they tell. Never passes hearsay on. */
export class PeerExchange {
  readonly #modules: Modules;
  readonly #intake = new RateAllowance(INTAKE_RATE);
  readonly #sending = new Set<PeerId>();
  #repeatAtMs = 0;
  readonly #counts = { framesSentTotal: 0, framesNotSentTotal: 0, framesReceivedTotal: 0 };
  readonly #refused = { framesMalformedTotal: 0, framesOverLimitTotal: 0 };
  readonly #hearsayRefused = new Map<string, number>(HEARSAY_REFUSALS.map((reason) => [reason, 0]));

  constructor(modules: Modules) {
    this.#modules = modules;
  }

  /** Sends to every link in `fresh`, and from time to time to one of `links`. Ends with all sends. */
  async tell(fresh: readonly PeerLink[], links: readonly PeerLink[], signal: AbortSignal): Promise<void> {
    const nowMs = this.#modules.clock.nowMs();
    const told = [...fresh];
    if (nowMs >= this.#repeatAtMs) {
      this.#repeatAtMs = nowMs + REPEAT_EVERY_MS;
      const one = links[this.#modules.random.int(0, Math.max(0, links.length - 1))];
      if (one && !told.includes(one)) told.push(one);
    }
    await Promise.all(told.map((link) => this.#send(link.peerId, links, signal)));
  }

  /** What `frame` tells that may be believed enough to try; empty for a frame that is refused. */
  read(link: PeerLink, frame: Uint8Array): readonly PeerAddress[] {
    const { clock, log, transport } = this.#modules;
    this.#counts.framesReceivedTotal += 1;
    if (!this.#intake.admits(link.peerId, clock.nowMs())) {
      this.#refused.framesOverLimitTotal += 1;
      return [];
    }
    let peers: readonly PeerAddress[];
    try {
      peers = decodePeers(frame);
    } catch (error) {
      this.#refused.framesMalformedTotal += 1;
      log.warn({ peer_id: link.peerId, err: error }, 'a malformed peers frame was dropped');
      return [];
    }
    return peers.filter((peer) => {
      const refusal = whyRefuseHearsay(peer, { ownId: transport.peerId, teller: link.remote });
      if (refusal !== null) this.#hearsayRefused.set(refusal, (this.#hearsayRefused.get(refusal) ?? 0) + 1);
      return refusal === null;
    });
  }

  snapshot() {
    return {
      ...this.#counts,
      ...this.#refused,
      entriesRefusedByReason: Object.fromEntries(this.#hearsayRefused),
    };
  }

  async #send(peerId: PeerId, links: readonly PeerLink[], signal: AbortSignal): Promise<void> {
    const { log, random, transport } = this.#modules;
    const others = links.filter((link) => link.peerId !== peerId);
    const known = listenersOf(others, transport.peerId);
    if (known.length === 0 || this.#sending.has(peerId)) return;
    const frame = encodePeers(random.shuffle(known).slice(0, MAX_PEERS_PER_FRAME));
    this.#sending.add(peerId);
    try {
      await withinBudget(
        'sending known peers',
        SEND_BUDGET_MS,
        (within) => transport.send(peerId, 'control', frame, within),
        signal,
      );
      this.#counts.framesSentTotal += 1;
    } catch (error) {
      if (signal.aborted) return;
      this.#counts.framesNotSentTotal += 1;
      log.debug(
        { peer_id: peerId, code: codeOf(error) },
        'known peers could not be sent; they are repeated later',
      );
    } finally {
      this.#sending.delete(peerId);
    }
  }
}
