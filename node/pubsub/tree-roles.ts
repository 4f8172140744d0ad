import type { PeerId } from '../transport/transport.ts';
import type { Cooling } from './cooling.ts';
import { type GossipEffect, graft, NOTHING, prune } from './gossip-effect.ts';
import type { SeenMessage } from './seen-ids.ts';
import type { TopicLinks } from './topic-links.ts';
import type { TopicTable } from './topic-table.ts';
import type { TreeName } from './tree-links.ts';

interface TreeRolesModules {
  readonly topics: TopicTable;
  readonly cooling: Cooling;
}

/**
 * How links enter and leave trees, and what their peers are told of it. A tree that has no origin stands for all trees
 * of its topic, and so does any tree towards a peer that knows the shared one only.
 */
export class TreeRoles {
  readonly #modules: TreeRolesModules;
  /** Suppressed links that were taken back because a topic had no other. */
  rescues = 0;

  constructor(modules: TreeRolesModules) {
    this.#modules = modules;
  }

  /** Makes a lazy link eager and tells its peer, if the back-off allows. */
  graft(peer: PeerId, { topic, origin }: TreeName, nowMs: number): readonly GossipEffect[] {
    const [first, ...others] = this.#concerned(peer, { topic, origin });
    if (!first?.graft(peer, nowMs)) return NOTHING;
    for (const tree of others) tree.setRole(peer, 'eager');
    return [graft(peer, this.#named(peer, { topic, origin }))];
  }

  prune(peer: PeerId, name: TreeName, nowMs: number): readonly GossipEffect[] {
    for (const tree of this.#concerned(peer, name)) tree.prune(peer, nowMs);
    return [prune(peer, this.#named(peer, name))];
  }

  /** The peer holds the link eager, as its copy shows; so do we. */
  follow(peer: PeerId, name: TreeName): void {
    for (const tree of this.#concerned(peer, name)) tree.setRole(peer, 'eager');
  }

  graftedBy(peer: PeerId, name: TreeName, nowMs: number): readonly GossipEffect[] {
    const [first, ...others] = this.#concerned(peer, name);
    if (!first) return NOTHING;
    if (!first.graftedBy(peer, nowMs)) return this.prune(peer, name, nowMs);
    for (const tree of others) tree.setRole(peer, 'eager');
    return NOTHING;
  }

  prunedBy(peer: PeerId, name: TreeName, nowMs: number): readonly GossipEffect[] {
    const trees = this.#concerned(peer, name);
    for (const tree of trees) tree.prune(peer, nowMs);
    return trees.some(({ eagerCount }) => eagerCount === 0) ? this.adopt(name.topic, nowMs) : NOTHING;
  }

  /** Takes a link that is too slow for the topic out of its trees. */
  rest(peer: PeerId, topic: string, nowMs: number): readonly GossipEffect[] {
    const wasEager = this.#modules.topics.get(topic)?.rest(peer, nowMs);
    return wasEager ? [prune(peer, { topic }), ...this.adopt(topic, nowMs)] : NOTHING;
  }

  /** A tree without an eager link takes one back; when all links rest, the topic the one that would rest the shortest. */
  adopt(topic: string, nowMs: number): readonly GossipEffect[] {
    const links = this.#modules.topics.get(topic);
    if (!links) return NOTHING;
    const effects: GossipEffect[] = [];
    // The shared tree is first, and stands for all: when it takes a link back, no other is left without one.
    for (const tree of links.trees()) {
      if (tree.eagerCount > 0) continue;
      const peer = tree.bestLazy() ?? this.#rescue(topic, links, nowMs);
      if (peer !== undefined) effects.push(...this.graft(peer, tree.name, nowMs));
    }
    return effects;
  }

  /** A peer is gone: what hung on its link takes another. */
  adoptAll(nowMs: number): readonly GossipEffect[] {
    return [...this.#modules.topics.entries()].flatMap(([topic]) => this.adopt(topic, nowMs));
  }

  /** Moves our place in the tree from a long path to a short one. */
  optimise(peer: PeerId, seen: SeenMessage, nowMs: number): readonly GossipEffect[] {
    const { topic, origin, from } = seen;
    const tree = this.#modules.topics.get(topic)?.treeOf(origin);
    if (from === null || tree?.role(from) !== 'eager') return NOTHING;
    const grafted = this.graft(peer, seen, nowMs);
    return grafted.length === 0 ? NOTHING : [...grafted, ...this.prune(from, seen, nowMs)];
  }

  #concerned(peer: PeerId, { topic, origin }: TreeName) {
    return this.#modules.topics.get(topic)?.treesFor(peer, origin) ?? [];
  }

  /** The name of the tree in the words of the peer. */
  #named(peer: PeerId, { topic, origin }: TreeName): TreeName {
    return this.#modules.topics.peers.get(peer) === 'perOrigin' ? { topic, origin } : { topic };
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
