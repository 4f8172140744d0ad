import type { PeerId } from '../transport/transport.ts';
import type { Announcements } from './announcements.ts';
import type { Announcement } from './control-frame.ts';
import { type GossipEffect, iwantFrames } from './gossip-effect.ts';
import type { MessageCache } from './message-cache.ts';
import { type FoundMessage, type Lead, MissingMessages } from './missing-messages.ts';
import type { SeenIds } from './seen-ids.ts';
import { TreeLateness } from './tree-lateness.ts';
import type { TreeRoles } from './tree-roles.ts';

/** A path this much shorter than the tree's makes the tree change (PlumTree section 3.8; iroh-gossip uses 7). */
const OPTIMISE_HOPS = 3;

interface RepairModules {
  readonly cache: MessageCache;
  readonly seen: SeenIds;
  readonly announcements: Announcements;
  readonly roles: TreeRoles;
}

/** What others announce and the tree has not brought: whom to ask for it and when, and what others ask of us. */
export class Repair {
  readonly #modules: RepairModules;
  readonly missing = new MissingMessages();
  readonly lateness = new TreeLateness();

  constructor(modules: RepairModules) {
    this.#modules = modules;
  }

  /** `peer` says what it has of `topic`. */
  announced(
    peer: PeerId,
    { topic, entries }: { readonly topic: string; readonly entries: readonly Announcement[] },
    { lead, nowMs }: { readonly lead: Lead; readonly nowMs: number },
  ): GossipEffect[] {
    const { seen: known, announcements, roles } = this.#modules;
    const effects: GossipEffect[] = [];
    const graceMs = this.lateness.graceMs(this.missing.answerMs);
    for (const { id, hops } of entries) {
      const seen = known.get(id);
      if (!seen) {
        this.missing.announce(id, { peer, topic, lead, graceMs, nowMs });
        continue;
      }
      announcements.isKnownBy(peer, id);
      if (seen.hops - (hops + 1) >= OPTIMISE_HOPS) effects.push(...roles.optimise(peer, seen, nowMs));
    }
    return effects;
  }

  /** The questions that are due. */
  ask(nowMs: number): GossipEffect[] {
    return iwantFrames(this.missing.asks(nowMs));
  }

  /** What of the `ids` we still have goes to the peer that asks for them. */
  answer(peer: PeerId, ids: readonly string[]): GossipEffect[] {
    const { seen, cache } = this.#modules;
    const effects: GossipEffect[] = [];
    for (const id of ids) {
      const topic = seen.get(id)?.topic;
      const message = topic === undefined ? undefined : cache.reply(topic, id, peer);
      if (message) effects.push({ type: 'reply', message, peer });
    }
    return effects;
  }

  /** A message came without having been asked for: tells how far the tree runs behind the announcements. */
  cameByTree(found: FoundMessage | undefined, nowMs: number): void {
    if (found) this.lateness.treeCameLate(nowMs - found.announcedAtMs);
    else this.lateness.treeCameFirst();
  }
}
