import { sha256Hex } from '../../../kit/hash.ts';
import { Random } from '../../../kit/random.ts';
import { LiveFlowCut, SizeCut } from './cuts.ts';
import type { HeldLease } from './lease-book.ts';
import { type Cut, type Fate, Link, type Packet } from './link.ts';
import { type LinkFigures, UNTOUCHED, underFaults } from './link-figures.ts';
import type { AgentLeaseSpec } from './protocol.ts';

export type Edge = readonly [from: string, to: string];

interface Entry {
  readonly edge: Edge;
  readonly link: Link;
  base: LinkFigures;
  /** Cuts that must see what goes the other way, to know new connections. */
  watching: readonly LiveFlowCut[];
}

/** Every directed link, and what the standing faults make of each. Pure but for its seeded randomness. */
export class LinkTable {
  readonly #seed: number;
  readonly #entries = new Map<string, Entry>();
  readonly #cutsOf = new Map<string, Cut>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Adds a link unless it is there. */
  add(edge: Edge): void {
    const key = keyOf(edge);
    if (this.#entries.has(key)) return;
    // Its own stream of choices: what one link draws does not depend on the traffic of another.
    const seed = Number.parseInt(sha256Hex(`${this.#seed} ${key}`).slice(0, 8), 16);
    this.#entries.set(key, { edge, link: new Link(new Random(seed)), base: UNTOUCHED, watching: [] });
  }

  get(edge: Edge): Link | undefined {
    return this.#entries.get(keyOf(edge))?.link;
  }

  all(): readonly { readonly edge: Edge; readonly link: Link }[] {
    return [...this.#entries.values()];
  }

  /** A packet enters a link of the table; `undefined` when there is no such link. */
  offer(edge: Edge, packet: Packet, nowMs: number): Fate | undefined {
    const entry = this.#entries.get(keyOf(edge));
    if (entry === undefined) return undefined;
    for (const cut of entry.watching) cut.sawOpposite(packet);
    return entry.link.offer(packet, nowMs);
  }

  /** Sets what a link does without faults; in force from the next `refresh`. */
  setBase(edge: Edge, figures: LinkFigures): void {
    const entry = this.#entries.get(keyOf(edge));
    if (entry !== undefined) entry.base = figures;
  }

  /** Makes every link what its profile and `leases`, all that stand, say. */
  refresh(leases: readonly HeldLease<AgentLeaseSpec>[]): void {
    const standing = new Set<string>();
    const cuts = new Map<string, Cut[]>();
    const shapes = new Map<string, HeldLease<AgentLeaseSpec>[]>();
    const watching = new Map<string, LiveFlowCut[]>();
    for (const lease of leases) {
      const { spec } = lease;
      if (spec.kind === 'pause') continue;
      for (const edge of spec.edges) {
        const key = keyOf(edge);
        if (spec.kind === 'shape') {
          pushTo(shapes, key, lease);
          continue;
        }
        const cutKey = `${lease.id} ${key}`;
        standing.add(cutKey);
        const cut = this.#cutsOf.get(cutKey) ?? cutOf(spec, () => (lease.matchedPackets += 1));
        this.#cutsOf.set(cutKey, cut);
        pushTo(cuts, key, cut);
        if (cut instanceof LiveFlowCut) pushTo(watching, keyOf([edge[1], edge[0]]), cut);
      }
    }
    for (const key of [...this.#cutsOf.keys()]) if (!standing.has(key)) this.#cutsOf.delete(key);
    for (const [key, entry] of this.#entries) {
      const shaping = shapes.get(key) ?? [];
      entry.watching = watching.get(key) ?? [];
      entry.link.cuts = cuts.get(key) ?? [];
      entry.link.figures = underFaults(
        entry.base,
        shaping.flatMap(({ spec }) => (spec.kind === 'shape' ? [spec.shape] : [])),
      );
      entry.link.shapedBy = shaping.map((lease) => ({ matched: () => (lease.matchedPackets += 1) }));
    }
  }
}

function cutOf(spec: AgentLeaseSpec & { kind: 'cut' }, onMatch: () => void): Cut {
  const { live_flow, larger_than_bytes } = spec;
  return live_flow ? new LiveFlowCut(larger_than_bytes, onMatch) : new SizeCut(larger_than_bytes, onMatch);
}

function keyOf([from, to]: Edge): string {
  return `${from} ${to}`; // names have no spaces
}

function pushTo<T>(map: Map<string, T[]>, key: string, item: T): void {
  const items = map.get(key);
  if (items === undefined) map.set(key, [item]);
  else items.push(item);
}
