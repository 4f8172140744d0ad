const LONGEST_GRACE_MS = 2_000;
const SHORTEST_CAP_MS = 50;
const HEADROOM = 1.25;
const DECAY = 0.98; // per message that the tree brought before any announcement

/**
 * How far announcements run ahead of the tree. On an idle mesh the tree is first and a missing message is asked for
 * at once. When payloads queue behind each other, announcements overtake them, and asking at once would double the
 * load that made them late; so the first question waits as long as the tree has lately been late, but no longer than
 * an answer takes, since asking is then the faster way.
 */
export class TreeLateness {
  #lateMs = 0;

  /** A message came by the tree this long after someone announced it. */
  treeCameLate(ms: number): void {
    this.#lateMs = Math.max(this.#lateMs * DECAY, Math.min(ms, LONGEST_GRACE_MS));
  }

  /** A message came by the tree before anyone announced it. */
  treeCameFirst(): void {
    this.#lateMs *= DECAY;
  }

  graceMs(answerMs: number): number {
    if (this.#lateMs < 1) return 0;
    return Math.min(this.#lateMs * HEADROOM, LONGEST_GRACE_MS, Math.max(SHORTEST_CAP_MS, answerMs));
  }
}
