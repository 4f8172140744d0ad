/** What one flow may send before the next one's turn; about one message of 4 KiB with its signature and path. */
const TURN_BYTES = 8_192;

/** Something that waits, and the flow that it is of. */
export interface FairItem {
  readonly flow: string;
  readonly bytes: number;
}

interface Flow<Item> {
  readonly items: Set<Item>;
  bytes: number;
  /** Bytes that it may still send in this turn. */
  credit: number;
}

/**
 * A queue in which no flow waits behind another: they take turns of equal bytes, and when there is no room it is the
 * longest that yields. Each flow keeps its order. Sources: deficit round robin (Shreedhar, Varghese 1995); longest
 * queue drop from the front (Suter, Lakshman, Stiliadis, Choudhury 1998). The bound is the caller's, by `rivalOf`.
 */
export class FairQueue<Item extends FairItem> {
  readonly #flows = new Map<string, Flow<Item>>(); // in order of their turns

  push(item: Item): void {
    let flow = this.#flows.get(item.flow);
    if (!flow) {
      flow = { items: new Set(), bytes: 0, credit: TURN_BYTES };
      this.#flows.set(item.flow, flow);
    }
    flow.items.add(item);
    flow.bytes += item.bytes;
  }

  /** How many items of a flow wait. */
  lengthOf(flow: string): number {
    return this.#flows.get(flow)?.items.size ?? 0;
  }

  /** The next to go; `undefined` when nothing waits. */
  shift(): Item | undefined {
    for (const [name, flow] of this.#flows) {
      const item = first(flow);
      if (item && (flow.credit >= item.bytes || this.#flows.size === 1)) {
        flow.credit = Math.max(0, flow.credit - item.bytes);
        this.delete(item);
        return item;
      }
      flow.credit += TURN_BYTES;
      this.#flows.delete(name);
      this.#flows.set(name, flow); // behind the others; the iteration comes to it again
    }
    return undefined;
  }

  /** Takes out `item`, wherever it stands. */
  delete(item: Item): void {
    const flow = this.#flows.get(item.flow);
    if (!flow?.items.delete(item)) return;
    flow.bytes -= item.bytes;
    if (flow.items.size === 0) this.#flows.delete(item.flow);
  }

  /** What has to yield to a newcomer: the oldest item of the longest flow; `undefined` when the newcomer's would be that. */
  rivalOf({ flow, bytes }: FairItem): Item | undefined {
    let longest: Flow<Item> | undefined;
    for (const other of this.#flows.values()) if (!longest || other.bytes > longest.bytes) longest = other;
    if (!longest || (this.#flows.get(flow)?.bytes ?? 0) + bytes >= longest.bytes) return undefined;
    return first(longest);
  }

  *[Symbol.iterator](): Generator<Item> {
    for (const { items } of this.#flows.values()) yield* items;
  }
}

function first<Item>({ items }: Flow<Item>): Item | undefined {
  return items.values().next().value;
}
