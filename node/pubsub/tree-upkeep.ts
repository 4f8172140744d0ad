import type { PeerId } from '../transport/transport.ts';
import { type GossipEffect, graft, prune } from './gossip-effect.ts';
import { ELIGIBLE_SCORE } from './score.ts';
import type { TopicLinks } from './topic-links.ts';
import type { TopicTable } from './topic-table.ts';

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
  readonly standing: (peer: PeerId, topic: string, nowMs: number) => LinkStanding;
}

/**
 * Once a minute each topic may exchange one eager link for a better lazy one (opportunistic grafting; margins of
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
    return [...this.#modules.topics.entries()].flatMap(([topic, links]) =>
      this.#improve(topic, links, nowMs),
    );
  }

  #improve(topic: string, links: TopicLinks, nowMs: number): GossipEffect[] {
    let worst: { readonly peer: PeerId; readonly score: number } | undefined;
    let best: { readonly peer: PeerId; readonly score: number } | undefined;
    for (const [peer, { role }] of links.roles()) {
      if (links.isResting(peer)) continue;
      const { score, unconfirmed } = this.#modules.standing(peer, topic, nowMs);
      if (role === 'eager') {
        if (unconfirmed >= HAS_FAILED && score < (worst?.score ?? ELIGIBLE_SCORE)) worst = { peer, score };
      } else if (score >= ELIGIBLE_SCORE && score > (best?.score ?? 0)) best = { peer, score };
    }
    if (!worst || !best || best.score - worst.score < LEAST_GAIN || !links.graft(best.peer, nowMs)) return [];
    links.prune(worst.peer, nowMs);
    this.replaced += 1;
    return [graft(best.peer, topic), prune(worst.peer, topic)];
  }
}
