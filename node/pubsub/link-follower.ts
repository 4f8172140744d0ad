import type { Clock } from '../../kit/clock.ts';
import type { LinkEvent, PeerId, PeerLink, Transport } from '../transport/transport.ts';
import { ORIGIN_TREES } from './control-frame.ts';
import type { CoreDriver } from './core-driver.ts';
import type { OriginKeys } from './origin-keys.ts';
import type { Outbound } from './outbound.ts';
import type { PlumTree } from './plumtree.ts';

interface LinkFollowerModules {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly core: PlumTree;
  readonly driver: CoreDriver;
  readonly outbound: Outbound;
  readonly keys: OriginKeys;
}

/** Tells gossip which links are up. Events may come late or out of order, so the transport is asked what is true now. */
export class LinkFollower {
  readonly #modules: LinkFollowerModules;
  readonly #generations = new Map<PeerId, number>();
  #stopListening: (() => void) | undefined;

  constructor(modules: LinkFollowerModules) {
    this.#modules = modules;
  }

  start(): void {
    const { transport } = this.#modules;
    this.#stopListening = transport.onLink((event) => this.#follow(event));
    for (const link of transport.links()) this.#up(link);
  }

  stop(): void {
    this.#stopListening?.();
  }

  /** What QUIC measures of the paths, for the patience of repair. */
  measure(): void {
    const { transport, core } = this.#modules;
    for (const { link, rttMs } of transport.stats().links) {
      if (rttMs !== null) core.setRtt(link.peerId, rttMs);
    }
  }

  #follow({ link: { peerId, agentId } }: LinkEvent): void {
    const { transport, clock, keys, outbound, driver, core } = this.#modules;
    const live = transport.linkTo(peerId);
    if (live) {
      if (this.#generations.get(peerId) !== live.generation) this.#up(live);
    } else if (this.#generations.delete(peerId)) {
      keys.unlink(agentId);
      outbound.peerDown(peerId);
      driver.run(core.peerDown(peerId, clock.nowMs()));
    }
  }

  #up(link: PeerLink): void {
    const { clock, keys, driver, core } = this.#modules;
    this.#generations.set(link.peerId, link.generation);
    keys.link(link.agentId, link.agentPublicKey);
    const trees = link.features.includes(ORIGIN_TREES) ? 'perOrigin' : 'shared';
    driver.run(core.peerUp(link.peerId, trees, clock.nowMs()));
  }
}
