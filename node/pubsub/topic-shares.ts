/**
 * Entries by id, in order of age, that know their topics' shares: when there is no room, the topic that has most gives
 * up its oldest, so that a flood of one topic crowds out itself alone.
 */
export class TopicShares<Entry extends { readonly topic: string }> {
  readonly #entries = new Map<string, Entry>();
  readonly #countOf = new Map<string, number>();

  get size(): number {
    return this.#entries.size;
  }

  get(id: string): Entry | undefined {
    return this.#entries.get(id);
  }

  add(id: string, entry: Entry): void {
    this.delete(id);
    this.#entries.set(id, entry);
    this.#countOf.set(entry.topic, (this.#countOf.get(entry.topic) ?? 0) + 1);
  }

  delete(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    const left = (this.#countOf.get(entry.topic) ?? 1) - 1;
    if (left > 0) this.#countOf.set(entry.topic, left);
    else this.#countOf.delete(entry.topic);
  }

  /** The oldest of the topic that has most; looks no further than that one stands. */
  oldestOfLargest(): string | undefined {
    let largest: string | undefined;
    let most = 0;
    for (const [topic, count] of this.#countOf) if (count > most) [largest, most] = [topic, count];
    for (const [id, { topic }] of this.#entries) if (topic === largest) return id;
    return undefined;
  }

  [Symbol.iterator](): MapIterator<[string, Entry]> {
    return this.#entries.entries();
  }
}
