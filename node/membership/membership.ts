import type { Clock } from '../../kit/clock.ts';
import { withinBudget } from '../../kit/deadline.ts';
import { codeOf, FaultError, messageOf } from '../../kit/errors.ts';
import type { Random } from '../../kit/random.ts';
import type { PeerLink, SocketAddress, Transport } from '../transport/transport.ts';
import { addressKey } from './address-key.ts';
import { meaningOfFailure } from './dial-failure.ts';
import { isMembershipFrame } from './exchange.ts';
import { type Dial, MembershipCore } from './membership-core.ts';
import type { MembershipLog } from './membership-log.ts';
import { listenersOf, PeerExchange } from './peer-exchange.ts';

const TICK_MS = 100; // a link event steps at once; the tick only finds dials whose back-off is over
const DIAL_BUDGET_MS = 5_000;
const MAX_SNAPSHOT_ROWS = 64;

interface Options {
  /** The peers to meet first; more are learnt from them. This node's own address may be among them. */
  readonly knownPeers: readonly SocketAddress[];
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
  readonly #exchange: PeerExchange;
  readonly #modules: Modules;
  #stopper: AbortController | null = null;
  #stopListening = () => {};
  readonly #counts = { dialsTotal: 0, dialsFailedTotal: 0, peersLearntTotal: 0 };
  readonly #failuresByMeaning = new Map<string, number>();

  /** @throws UsageError `TOO_MANY_KNOWN_PEERS` */
  constructor({ knownPeers }: Options, modules: Modules) {
    const { transport, random, clock } = modules;
    this.#core = new MembershipCore({
      ownId: transport.peerId,
      configured: knownPeers,
      random,
      nowMs: clock.nowMs(),
    });
    this.#exchange = new PeerExchange(modules);
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
    this.#hear(this.#exchange.read(link, frame));
    this.#step();
    return true;
  }

  snapshot() {
    return {
      ...this.#core.snapshot(this.#modules.clock.nowMs(), MAX_SNAPSHOT_ROWS),
      ...this.#counts,
      dialFailuresByMeaning: Object.fromEntries(this.#failuresByMeaning),
      exchange: this.#exchange.snapshot(),
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
    void this.#exchange.tell(fresh, links, signal);
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
