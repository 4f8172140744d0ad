import type { Logger } from 'pino';
import type { Clock } from '../../kit/clock.ts';
import { codeOf } from '../../kit/errors.ts';
import type { LinkPath, PeerId, PeerLink, Transport } from '../transport/transport.ts';
import { isLinkProven, linkProofRequest } from './link-proof.ts';
import { LinkProofs, type ProofOutcome, proofWaitMs } from './link-proofs.ts';
import { raceDeadline } from './race-deadline.ts';

const TICK_MS = 1_000;
const NOT_THE_LINKS_FAULT = ['NO_LINK', 'LINK_CLOSED', 'LINK_REPLACED', 'SEND_QUEUE_FULL', 'REQUEST_LIMIT'];

interface LinkProverModules {
  readonly transport: Pick<Transport, 'links' | 'linkTo' | 'request' | 'closeLink'> & {
    pathTo(peerId: PeerId): LinkPath | undefined;
  };
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn' | 'error'>;
}

/** Counters since start. */
export interface LinkProofCounts {
  readonly sentTotal: number;
  readonly provenTotal: number;
  readonly unansweredTotal: number;
  readonly inconclusiveTotal: number;
  readonly linksClosedTotal: number;
}

/** Drives `LinkProofs` over the transport's requests, and closes a link that lives but does not carry messages. */
export class LinkProver {
  readonly #modules: LinkProverModules;
  readonly #core = new LinkProofs();
  readonly #counts = {
    sentTotal: 0,
    provenTotal: 0,
    unansweredTotal: 0,
    inconclusiveTotal: 0,
    linksClosedTotal: 0,
  };
  #stopper: AbortController | undefined;

  constructor(modules: LinkProverModules) {
    this.#modules = modules;
  }

  start(): void {
    const stopper = new AbortController();
    this.#stopper = stopper;
    void this.#run(stopper.signal);
  }

  stop(): void {
    this.#stopper?.abort();
    this.#stopper = undefined;
  }

  counts(): LinkProofCounts {
    return { ...this.#counts };
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, transport } = this.#modules;
    while (!signal.aborted) {
      for (const link of this.#core.due(transport.links(), clock.nowMs())) void this.#prove(link, signal);
      await clock.sleep(TICK_MS, signal).catch(() => {}); // only its signal ends it early
    }
  }

  async #prove(link: PeerLink, signal: AbortSignal): Promise<void> {
    const { clock, transport } = this.#modules;
    this.#counts.sentTotal += 1;
    const waitMs = proofWaitMs(transport.pathTo(link.peerId) ?? { rttMs: null });
    const outcome = await this.#ask(link, clock.nowMs() + waitMs, signal);
    if (signal.aborted) return;
    this.#counts[`${outcome}Total`] += 1;
    const quietMs = transport.pathTo(link.peerId)?.quietMs ?? 0;
    if (this.#core.ended(link, { outcome, quietMs }, clock.nowMs()) === 'close') this.#close(link);
  }

  async #ask(link: PeerLink, untilMs: number, signal: AbortSignal): Promise<ProofOutcome> {
    const { clock, transport } = this.#modules;
    return await raceDeadline<ProofOutcome>(
      { clock, untilMs, atDeadline: 'unanswered', signal },
      (settle, stop) => {
        transport.request(link.peerId, linkProofRequest(), stop).then(
          (reply) => settle(isLinkProven(reply) ? 'proven' : 'inconclusive'),
          (error: unknown) => this.#failed(error, settle),
        );
        return () => {};
      },
    ).catch(() => 'inconclusive'); // stopping
  }

  #failed(error: unknown, settle: (outcome: ProofOutcome) => void): void {
    if (!NOT_THE_LINKS_FAULT.includes(codeOf(error))) {
      this.#modules.log.error({ err: error }, 'a proof of a link failed for a reason of its own');
    }
    settle('inconclusive');
  }

  #close({ peerId, generation }: PeerLink): void {
    const { transport, log } = this.#modules;
    if (transport.linkTo(peerId)?.generation !== generation) return;
    this.#counts.linksClosedTotal += 1;
    log.warn({ peerId, generation }, 'a link that lives but carries no messages is closed');
    transport.closeLink(peerId, 'LivenessTimeout', 'it carries no messages of more than 1 KiB any more');
  }
}
