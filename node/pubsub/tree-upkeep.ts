import type { PeerId } from '../transport/transport.ts';
import type { GossipEffect } from './gossip-effect.ts';
import { ELIGIBLE_SCORE } from './score.ts';
import type { TopicLinks } from './topic-links.ts';
import type { TopicTable } from './topic-table.ts';
import type { TreeLinks } from './tree-links.ts';
import type { TreeRoles } from './tree-roles.ts';

const EVERY_MS = 60_000;
/** A candidate must be this much better than what it replaces. */
const LEAST_GAIN = 0.2;
/** Of the decaying count of timeouts: one that happened within the last five minutes. */
const HAS_FAILED = 0.5;

/** What upkeep asks about a link. */
interface LinkStanding {
  readonly score: number;
  /** Timeouts of sends to it, decaying. */
  readonly unconfirmed: number;
}

interface TreeUpkeepModules {
  readonly topics: TopicTable;
  readonly roles: TreeRoles;
  readonly standing: (peer: PeerId, topic: string, nowMs: number) => LinkStanding;
}

/**
 * Once a minute each topic may exchange one eager link of one tree for a better lazy one (opportunistic grafting; margins of
 * saorsa-gossip). A low score alone is no reason: a link that brings nothing may be one that lives on us. So only a
 * link that also let sends time out is replaced.
 */
export class TreeUpkeep {
  readonly #modules: TreeUpkeepModules;
  #lastMs = 0;
  replaced = 0;

  constructor(modules: TreeUpkeepModules) {
    this.#modules = modules;
  }

  tick(nowMs: number): readonly GossipEffect[] {
    if (nowMs - this.#lastMs < EVERY_MS) return [];
    this.#lastMs = nowMs;
    return [...this.#modules.topics.entries()].flatMap(([, links]) => this.#improveOne(links, nowMs));
  }

  #improveOne(links: TopicLinks, nowMs: number): readonly GossipEffect[] {
    for (const tree of links.usedTrees()) {
      const effects = this.#improve(tree, links, nowMs);
      if (effects.length > 0) return effects;
    }
    return [];
  }

  #improve(tree: TreeLinks, links: TopicLinks, nowMs: number): readonly GossipEffect[] {
    let worst: { readonly peer: PeerId; readonly score: number } | undefined;
    let best: { readonly peer: PeerId; readonly score: number } | undefined;
    for (const [peer, { role }] of tree.roles()) {
      if (links.isResting(peer)) continue;
      const { score, unconfirmed } = this.#modules.standing(peer, tree.name.topic, nowMs);
      if (role === 'eager') {
        if (unconfirmed >= HAS_FAILED && score < (worst?.score ?? ELIGIBLE_SCORE)) worst = { peer, score };
      } else if (score >= ELIGIBLE_SCORE && score > (best?.score ?? 0)) best = { peer, score };
    }
    if (!worst || !best || best.score - worst.score < LEAST_GAIN) return [];
    const { roles } = this.#modules;
    const grafted = roles.graft(best.peer, tree.name, nowMs);
    if (grafted.length === 0) return [];
    this.replaced += 1;
    return [...grafted, ...roles.prune(worst.peer, tree.name, nowMs)];
  }
}
