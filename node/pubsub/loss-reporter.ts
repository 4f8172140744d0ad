import type { Logger } from 'pino';
import type { Outbound } from './outbound.ts';
import type { PendingMessages } from './pending-messages.ts';
import type { PlumTree } from './plumtree.ts';

/** One line of each kind per minute at most, whatever a bad peer does. */
const REPORT_EVERY_MS = 60_000;

interface LossReporterModules {
  readonly core: PlumTree;
  readonly inbound: { readonly pending: Pick<PendingMessages, 'dropped' | 'keysNotFound'> };
  readonly outbound: Pick<Outbound, 'counts'>;
  readonly log: Logger;
}

/** Puts into the log what gossip's bounds have let go and which links rest, in totals since start. */
export class LossReporter {
  readonly #modules: LossReporterModules;
  #reported = 0;
  #mended = 0;
  #reportedAtMs = Number.NEGATIVE_INFINITY;

  constructor(modules: LossReporterModules) {
    this.#modules = modules;
  }

  /** Says what has changed since it last said anything, if that was long enough ago. */
  report(nowMs: number): void {
    if (nowMs - this.#reportedAtMs < REPORT_EVERY_MS) return;
    const { core, inbound, outbound, log } = this.#modules;
    const losses = {
      ...core.losses(),
      pendingDropped: inbound.pending.dropped,
      keysNotFound: inbound.pending.keysNotFound,
      sendsFailed: outbound.counts.failed,
      controlSendsFailed: outbound.counts.controlFailed,
    };
    const total = sum(losses);
    const mended = core.mended();
    if (total !== this.#reported) log.warn({ losses }, 'gossip let go of something');
    if (sum(mended) !== this.#mended) {
      const resting = [...core.cooling.suppressions(nowMs)].map(([peer]) => peer);
      log.info({ ...mended, resting: [...new Set(resting)] }, 'links are too slow for the tree of a topic');
    }
    if (total === this.#reported && sum(mended) === this.#mended) return;
    this.#reported = total;
    this.#mended = sum(mended);
    this.#reportedAtMs = nowMs;
  }
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
