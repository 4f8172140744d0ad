interface Bound<K, V> {
  readonly max: number;
  /** Called for each entry that had to make room. */
  readonly onEvict?: (key: K, value: V) => void;
}

/** A map that holds at most `max` entries and evicts the oldest insertion; `evicted` counts what had to go. */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #bound: Bound<K, V>;
  evicted = 0;

  constructor(bound: Bound<K, V>) {
    this.#bound = bound;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  /** Adds or replaces; a replaced entry keeps its age. */
  set(key: K, value: V): void {
    if (!this.#entries.has(key) && this.#entries.size >= this.#bound.max) {
      const oldest = this.#entries.entries().next().value;
      if (oldest) {
        this.#entries.delete(oldest[0]);
        this.evicted += 1;
        this.#bound.onEvict?.(oldest[0], oldest[1]);
      }
    }
    this.#entries.set(key, value);
  }

  delete(key: K): boolean {
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  entries(): MapIterator<[K, V]> {
    return this.#entries.entries();
  }

  keys(): MapIterator<K> {
    return this.#entries.keys();
  }

  values(): MapIterator<V> {
    return this.#entries.values();
  }
}

/**
 * A first-in first-out queue of at most `max` items. `push` says what became of the item; `dropped` counts what was
 * lost. With `full: 'drop-oldest'` the head makes room, with `'refuse'` the newcomer is turned away.
 */
export class BoundedQueue<T> {
  readonly #max: number;
  readonly #full: 'drop-oldest' | 'refuse';
  #items: T[] = [];
  #head = 0;
  dropped = 0;
  /** The greatest length seen. */
  highWater = 0;

  constructor(bound: { readonly max: number; readonly full: 'drop-oldest' | 'refuse' }) {
    this.#max = bound.max;
    this.#full = bound.full;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  get capacity(): number {
    return this.#max;
  }

  push(item: T): 'queued' | 'dropped-oldest' | 'refused' {
    let outcome: 'queued' | 'dropped-oldest' = 'queued';
    if (this.length >= this.#max) {
      this.dropped += 1;
      if (this.#full === 'refuse') return 'refused';
      this.shift();
      outcome = 'dropped-oldest';
    }
    this.#items.push(item);
    if (this.length > this.highWater) this.highWater = this.length;
    return outcome;
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined as T;
    this.#head += 1;
    if (this.#head > 1_024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}
