import type { Clock } from '../../kit/clock.ts';
import { withinBudget } from '../../kit/deadline.ts';
import { codeOf, FaultError, messageOf } from '../../kit/errors.ts';
import type { Random } from '../../kit/random.ts';
import type { PeerId, PeerLink, SocketAddress, Transport } from '../transport/transport.ts';
import { addressKey } from './address-key.ts';
import { meaningOfFailure } from './dial-failure.ts';
import { isMembershipFrame } from './exchange.ts';
import { type Dial, MembershipCore } from './membership-core.ts';
import type { MembershipLog } from './membership-log.ts';
import { listenersOf, PeerExchange } from './peer-exchange.ts';

const TICK_MS = 100; // a link event steps at once; the tick only finds dials whose back-off is over
const DIAL_BUDGET_MS = 8_000; // three round trips; 5.1 s were measured over a path of 1.7 s
const MAX_SNAPSHOT_ROWS = 64;

interface Options {
  /** The peers to meet first; more are learnt from them. This node's own address may be among them. */
  readonly knownPeers: readonly SocketAddress[];
  /** Whether peers tell each other of their peers. Without it `knownPeers` are all that is ever dialled. */
  readonly peerExchange: boolean;
}

interface Modules {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: MembershipLog;
}

/**
 * Keeps links to every configured peer and to every peer learnt from them. `start` dials, `stop` leaves the links
 * alone and ends every wait. Control frames of kinds 0x01–0x0f are for `handleControlFrame`.
 */
export class Membership {
  readonly #core: MembershipCore;
  readonly #exchange: PeerExchange | null;
  readonly #modules: Modules;
  #stopper: AbortController | null = null;
  #stopListening = () => {};
  readonly #counts = { dialsTotal: 0, dialsFailedTotal: 0, peersLearntTotal: 0, peersFramesIgnoredTotal: 0 };
  readonly #failuresByMeaning = new Map<string, number>();

  /** @throws UsageError `TOO_MANY_KNOWN_PEERS` */
  constructor({ knownPeers, peerExchange }: Options, modules: Modules) {
    const { transport, random, clock } = modules;
    this.#core = new MembershipCore({
      ownId: transport.peerId,
      configured: knownPeers,
      addresses: peerExchange ? 'learnt' : 'configured_only',
      random,
      nowMs: clock.nowMs(),
    });
    this.#exchange = peerExchange ? new PeerExchange(modules) : null;
    this.#modules = modules;
  }

  /** @throws FaultError `MEMBERSHIP_STARTED` when it runs already */
  start(): void {
    if (this.#stopper) throw new FaultError('MEMBERSHIP_STARTED', 'membership runs already');
    const stopper = new AbortController();
    this.#stopper = stopper;
    this.#stopListening = this.#modules.transport.onLink(() => this.#step());
    void this.#run(stopper.signal);
  }

  stop(): void {
    this.#stopListening();
    this.#stopListening = () => {};
    this.#stopper?.abort(new FaultError('MEMBERSHIP_STOPPED', 'membership was stopped'));
    this.#stopper = null;
  }

  /** Takes a control frame if it is membership's; `false` leaves it to others. A malformed one is counted. */
  handleControlFrame(link: PeerLink, frame: Uint8Array): boolean {
    if (!isMembershipFrame(frame)) return false;
    if (this.#exchange === null) {
      this.#counts.peersFramesIgnoredTotal += 1;
      return true;
    }
    this.#hear(this.#exchange.read(link, frame));
    this.#step();
    return true;
  }

  /**
   * Sees to it that `peerId` is dialled now rather than when its back-off ends, and resolves when it has a link. Within
   * the limits of all dials: one per peer and 16 in all at a time, one per second and peer.
   * @throws FaultError `PEER_NOT_DIALABLE` for a peer without a known address; the reason of `signal`
   */
  async ensureLink(peerId: PeerId, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { transport, clock } = this.#modules;
    if (transport.linkTo(peerId) !== undefined) return;
    const linked = Promise.withResolvers<void>();
    const onAbort = () => linked.reject(signal.reason);
    const stopListening = transport.onLink(() => {
      if (transport.linkTo(peerId) !== undefined) linked.resolve();
    });
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      this.#step(); // the loss of its link may not have been looked at yet
      if (!this.#core.wanted(peerId, clock.nowMs())) {
        throw new FaultError('PEER_NOT_DIALABLE', `no address is known at which ${peerId} could be dialled`);
      }
      this.#step();
      await linked.promise;
    } finally {
      stopListening();
      signal.removeEventListener('abort', onAbort);
    }
  }

  snapshot() {
    return {
      ...this.#core.snapshot(this.#modules.clock.nowMs(), MAX_SNAPSHOT_ROWS),
      ...this.#counts,
      dialFailuresByMeaning: Object.fromEntries(this.#failuresByMeaning),
      exchange: this.#exchange?.snapshot() ?? null,
    };
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#step();
      try {
        await this.#modules.clock.sleep(TICK_MS, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  #step(): void {
    const signal = this.#stopper?.signal;
    if (signal === undefined) return;
    const nowMs = this.#modules.clock.nowMs();
    const links = this.#modules.transport.links();
    const fresh = this.#core.observe(links, nowMs);
    this.#hear(listenersOf(fresh, this.#modules.transport.peerId));
    for (const dial of this.#core.due(nowMs)) void this.#dial(dial, signal);
    void this.#exchange?.tell(fresh, links, signal);
  }

  #hear(peers: Parameters<MembershipCore['heard']>[0]): void {
    this.#counts.peersLearntTotal += this.#core.heard(peers, this.#modules.clock.nowMs());
  }

  async #dial(dial: Dial, signal: AbortSignal): Promise<void> {
    const { transport, clock } = this.#modules;
    const { address, expected } = dial;
    this.#counts.dialsTotal += 1;
    try {
      const link = await withinBudget(
        `a dial to ${addressKey(address)}`,
        DIAL_BUDGET_MS,
        (within) => transport.dial(address, { signal: within, ...(expected === null ? {} : { expected }) }),
        signal,
      );
      this.#core.dialSucceeded(dial, link.peerId, clock.nowMs());
    } catch (error) {
      this.#dialFailed(dial, error, signal);
    }
    this.#step();
  }

  #dialFailed(dial: Dial, error: unknown, signal: AbortSignal): void {
    const { log, clock } = this.#modules;
    const meaning = signal.aborted ? 'retry' : meaningOfFailure(error);
    this.#core.dialFailed(dial, meaning, clock.nowMs());
    if (signal.aborted) return;
    this.#counts.dialsFailedTotal += 1;
    this.#failuresByMeaning.set(meaning, (this.#failuresByMeaning.get(meaning) ?? 0) + 1);
    const about = {
      address: addressKey(dial.address),
      expected: dial.expected,
      code: codeOf(error),
      meaning,
    };
    if (meaning === 'policy' || meaning === 'wrong_peer') log.warn(about, messageOf(error));
    else log.debug(about, messageOf(error));
  }
}
