import type { Logger } from 'pino';
import type { Inbound } from './inbound.ts';
import type { Outbound } from './outbound.ts';
import type { PeerTallies } from './peer-tally.ts';
import type { PlumTree } from './plumtree.ts';

interface LossReporterModules {
  readonly core: PlumTree;
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  readonly tallies: PeerTallies;
  readonly log: Logger;
}

/** Puts into the log what gossip's bounds have let go and `/diagnostics/gossip` has no field for. */
export class LossReporter {
  readonly #modules: LossReporterModules;
  #reported = 0;

  constructor(modules: LossReporterModules) {
    this.#modules = modules;
  }

  /** One line when anything was lost since the last call, with the totals since start. */
  report(): void {
    const { core, inbound, outbound, tallies, log } = this.#modules;
    const losses = {
      ...core.losses(),
      pendingDropped: inbound.pending.dropped,
      keysNotFound: inbound.pending.keysNotFound,
      sendsFailed: outbound.counts.failed,
      controlSendsFailed: outbound.counts.controlFailed,
      talliesForgotten: tallies.forgotten,
    };
    const total = Object.values(losses).reduce((sum, count) => sum + count, 0);
    if (total === this.#reported) return;
    this.#reported = total;
    log.warn({ losses }, 'gossip let go of something');
  }
}
