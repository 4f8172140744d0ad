import type { PeerId } from '../transport/transport.ts';
import type { Cooling } from './cooling.ts';
import { type GossipEffect, graft, NOTHING, prune } from './gossip-effect.ts';
import type { SeenMessage } from './seen-ids.ts';
import type { TopicLinks } from './topic-links.ts';
import type { TopicTable } from './topic-table.ts';

interface TreeRolesModules {
  readonly topics: TopicTable;
  readonly cooling: Cooling;
}

/** How links enter and leave the tree of a topic when a peer or the tree itself asks for it. */
export class TreeRoles {
  readonly #modules: TreeRolesModules;
  /** Suppressed links that were taken back because a topic had no other. */
  rescues = 0;

  constructor(modules: TreeRolesModules) {
    this.#modules = modules;
  }

  graftedBy(peer: PeerId, topic: string, nowMs: number): readonly GossipEffect[] {
    const links = this.#modules.topics.get(topic);
    if (!links || links.graftedBy(peer, nowMs)) return NOTHING;
    links.prune(peer, nowMs);
    return [prune(peer, topic)];
  }

  prunedBy(peer: PeerId, topic: string, nowMs: number): readonly GossipEffect[] {
    const links = this.#modules.topics.get(topic);
    if (!links) return NOTHING;
    links.prune(peer, nowMs);
    return this.#adoptIfOrphan(topic, links, nowMs);
  }

  /** Takes a link that is too slow for the topic out of its tree. */
  rest(peer: PeerId, topic: string, nowMs: number): readonly GossipEffect[] {
    const links = this.#modules.topics.get(topic);
    if (!links) return NOTHING;
    const wasEager = links.role(peer) === 'eager';
    links.rest(peer, nowMs);
    return wasEager ? [prune(peer, topic), ...this.#adoptIfOrphan(topic, links, nowMs)] : NOTHING;
  }

  /** A topic without an eager link takes one back; when all of them rest, the one that would rest the shortest. */
  adopt(topic: string, links: TopicLinks, nowMs: number): readonly GossipEffect[] {
    const peer = links.bestLazy() ?? this.#rescue(topic, links, nowMs);
    return peer !== undefined && links.graft(peer, nowMs) ? [graft(peer, topic)] : NOTHING;
  }

  /** Moves our place in the tree from a long path to a short one. */
  optimise(peer: PeerId, { topic, from }: SeenMessage, nowMs: number): readonly GossipEffect[] {
    const links = this.#modules.topics.get(topic);
    if (!links || from === null || links.role(from) !== 'eager' || !links.graft(peer, nowMs)) return NOTHING;
    links.prune(from, nowMs);
    return [graft(peer, topic), prune(from, topic)];
  }

  #adoptIfOrphan(topic: string, links: TopicLinks, nowMs: number): readonly GossipEffect[] {
    return links.eagerCount === 0 ? this.adopt(topic, links, nowMs) : NOTHING;
  }

  #rescue(topic: string, links: TopicLinks, nowMs: number): PeerId | undefined {
    if (links.restingCount === 0) return undefined;
    const peer = this.#modules.cooling.rescue(topic, links.peers(), nowMs);
    if (peer === undefined) return undefined;
    this.rescues += 1;
    links.wake(peer);
    return peer;
  }
}
