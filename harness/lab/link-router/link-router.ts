import { DeliveryHeap } from '../link-agent/delivery-heap.ts';
import { figuresFromWire } from '../link-agent/link-figures.ts';
import { type Edge, LinkTable } from '../link-agent/link-table.ts';
import { addressKey, packetEnds } from './packet-ends.ts';
import type { RouterConfig } from './router-config.ts';

interface UnderWay {
  readonly edge: Edge;
  readonly data: Buffer;
}

/** What was dropped that no link has counted. */
interface RouterCounters {
  malformed: number;
  /** Of others than its members: not between two hosts whose links it has. */
  foreign: number;
}

/**
 * Carries IP packets between hosts, each over the link of its directed pair. Pure but for its seeded randomness: a packet
 * and the time come in, and when its time has come it can be taken out. What is under way is bounded by the links.
 */
export class LinkRouter {
  readonly #links: LinkTable;
  readonly #names = new Map<string, string>();
  readonly #underWay = new DeliveryHeap<UnderWay>();
  readonly counters: RouterCounters = { malformed: 0, foreign: 0 };

  constructor({ members, links }: RouterConfig, seed: number) {
    this.#links = new LinkTable(seed);
    for (const { name, addresses } of members) {
      for (const address of addresses) this.#names.set(addressKey(address), name);
    }
    for (const { figures, edges } of links.groups) {
      for (const edge of edges) {
        this.#links.add(edge);
        this.#links.setBase(edge, figuresFromWire(figures));
      }
    }
    this.#links.refresh([]);
  }

  /** When the next packet is due; `undefined` when none is under way. */
  get nextAtMs(): number | undefined {
    return this.#underWay.nextAtMs;
  }

  /** A packet comes from a host; `data` is kept until it is taken. Whatever is wrong with it, it is dropped and counted. */
  enter(data: Buffer, nowMs: number): void {
    const ends = packetEnds(data);
    if (ends === undefined) {
      this.counters.malformed += 1;
      return;
    }
    const edge = [this.#names.get(ends.from) ?? '', this.#names.get(ends.to) ?? ''] as const;
    const fate = this.#links.offer(edge, { bytes: data.length, data }, nowMs);
    if (fate === undefined) this.counters.foreign += 1;
    else if (typeof fate === 'object') this.#underWay.push({ edge, data }, fate.deliverAtMs);
  }

  /** The next packet that is due at `untilMs`, for the host that it is addressed to. */
  takeDue(untilMs: number): Buffer | undefined {
    const due = this.#underWay.takeDue(untilMs);
    if (due === undefined) return undefined;
    this.#links.get(due.edge)?.arrive({ bytes: due.data.length, data: due.data });
    return due.data;
  }

  /** What was dropped though no figure asked for it; all zero on a machine that keeps up with honest hosts. */
  dropped(): Readonly<Record<'malformed' | 'foreign' | 'overflow', number>> {
    const overflow = this.#links.all().reduce((sum, { link }) => sum + link.counters.overflow, 0);
    return { ...this.counters, overflow };
  }
}
