import type { PeerId } from '../transport/transport.ts';

/** Numbers of saorsa-gossip 0.5.71 (adaptive cooldown). */
const TIMEOUTS_TO_COOL = 5;
export const WINDOW_MS = 30_000;
const COOLDOWN_MS = { shortest: 30_000, longest: 300_000 } as const;
const DECAY_PER_SEC = 0.97;
/** A link that may be tried again waits this long for a message to be tried with; then an echo alone must do. */
const READY_WAIT_MS = 5_000;
const MAX_PAIRS = 16_384;

export type SuppressionState = 'cooldown' | 'recovery_ready' | 'recovery_probe';

/** One suppressed (peer, topic), as `/diagnostics/gossip` shows it; times on the monotonic clock. */
export interface Suppression {
  readonly state: SuppressionState;
  readonly cooldownMs: number;
  readonly cooledAtMs: number;
  readonly untilMs: number;
  readonly probeId: string | null;
  readonly recentTimeouts: number;
}

interface Pair {
  state: 'open' | SuppressionState;
  timeoutsAtMs: readonly number[];
  /** The cooldown in force, or the last one. */
  cooldownMs: number;
  nextCooldownMs: number;
  cooledAtMs: number;
  untilMs: number;
  probeId: string | null;
  /** When a success last shortened the next cooldown. */
  easedAtMs: number;
}

/** What a timeout led to: `ripe` asks the caller to `cool` or to `hold`. */
type TimeoutVerdict = 'counted' | 'ripe' | 'probeFailed' | 'ignored';

/**
 * When a link rests on one topic: after five timeouts in a row within 30 s, for 30 s and twice as long with each
 * failure, up to 300 s. Then exactly one message is tried: if it gets through, the link is lazy again. Only a
 * confirmed send ends a suppression or a row of timeouts; what the peer itself sends proves nothing about our sends.
 * A pure core: it knows no roles and no floor; `LinkHealth` does.
 */
export class Cooling {
  readonly #byPeer = new Map<PeerId, Map<string, Pair>>();
  #pairs = 0;
  #dueMs = Number.POSITIVE_INFINITY;
  /** Timeouts of pairs beyond the bound, which nobody remembers. */
  forgotten = 0;
  coolings = 0;

  get size(): number {
    return this.#pairs;
  }

  get dueMs(): number | undefined {
    return this.#dueMs === Number.POSITIVE_INFINITY ? undefined : this.#dueMs;
  }

  /** One send to `peer` on `topic` was not confirmed in time. */
  timedOut(peer: PeerId, topic: string, nowMs: number): TimeoutVerdict {
    const pair = this.#pair(peer, topic);
    if (!pair) return 'ignored';
    if (pair.state === 'recovery_probe') {
      this.#suppress(pair, nowMs);
      return 'probeFailed';
    }
    if (pair.state !== 'open') return 'ignored';
    pair.timeoutsAtMs = [...pair.timeoutsAtMs.filter((atMs) => nowMs - atMs < WINDOW_MS), nowMs];
    return pair.timeoutsAtMs.length >= TIMEOUTS_TO_COOL ? 'ripe' : 'counted';
  }

  /** The link is let go on for a reason of the caller's; the next timeout asks again. */
  hold(peer: PeerId, topic: string): void {
    const pair = this.#get(peer, topic);
    if (pair) pair.timeoutsAtMs = pair.timeoutsAtMs.slice(1);
  }

  cool(peer: PeerId, topic: string, nowMs: number): void {
    const pair = this.#pair(peer, topic);
    if (pair?.state === 'open') this.#suppress(pair, nowMs);
  }

  /** A send was confirmed in time; `restored` when it was the one that a suppressed link was tried with. */
  confirmed(peer: PeerId, topic: string, nowMs: number): 'restored' | 'fine' {
    const pair = this.#get(peer, topic);
    if (!pair) return 'fine';
    if (pair.state === 'recovery_probe') {
      this.#open(pair, nowMs);
      return 'restored';
    }
    if (pair.state !== 'open') return 'fine';
    pair.timeoutsAtMs = [];
    const easedSecs = (nowMs - pair.easedAtMs) / 1_000;
    pair.nextCooldownMs = Math.max(COOLDOWN_MS.shortest, pair.nextCooldownMs * DECAY_PER_SEC ** easedSecs);
    pair.easedAtMs = nowMs;
    return 'fine';
  }

  /** Takes the one message that a link may be tried with; false when it is not its turn. */
  probe(peer: PeerId, topic: string, messageId: string): boolean {
    const pair = this.#get(peer, topic);
    if (pair?.state !== 'recovery_ready') return false;
    pair.state = 'recovery_probe';
    pair.probeId = messageId;
    return true;
  }

  /** Moves on what has waited long enough; gives the pairs that have had no message to be tried with. */
  tick(nowMs: number): { readonly peer: PeerId; readonly topic: string }[] {
    if (nowMs < this.#dueMs) return [];
    this.#dueMs = Number.POSITIVE_INFINITY;
    const waiting: { peer: PeerId; topic: string }[] = [];
    for (const [peer, pairs] of this.#byPeer) {
      for (const [topic, pair] of pairs) {
        if (pair.state === 'cooldown' && nowMs >= pair.untilMs) pair.state = 'recovery_ready';
        if (pair.state === 'recovery_ready' && nowMs >= pair.untilMs + READY_WAIT_MS)
          waiting.push({ peer, topic });
        else this.#plan(pair);
      }
    }
    return waiting;
  }

  /** Of `peers`, the suppressed one whose cooldown ends first is free again; `undefined` when none is suppressed. */
  rescue(topic: string, peers: Iterable<PeerId>, nowMs: number): PeerId | undefined {
    let best: { readonly peer: PeerId; readonly pair: Pair } | undefined;
    for (const peer of peers) {
      const pair = this.#get(peer, topic);
      if (!pair || pair.state === 'open') continue;
      if (!best || pair.untilMs < best.pair.untilMs) best = { peer, pair };
    }
    if (best) this.#open(best.pair, nowMs);
    return best?.peer;
  }

  isSuppressed(peer: PeerId, topic: string): boolean {
    const pair = this.#get(peer, topic);
    return pair !== undefined && pair.state !== 'open';
  }

  suppression(peer: PeerId, topic: string, nowMs: number): Suppression | undefined {
    const pair = this.#get(peer, topic);
    return pair && asSuppression(pair, nowMs);
  }

  /** Topics on which `peer` is being tried. */
  probing(peer: PeerId): string[] {
    return [...(this.#byPeer.get(peer) ?? [])].flatMap(([topic, { state }]) =>
      state === 'recovery_probe' ? [topic] : [],
    );
  }

  /** Every suppressed pair. */
  *suppressions(nowMs: number): Generator<readonly [PeerId, string, Suppression]> {
    for (const [peer, pairs] of this.#byPeer) {
      for (const [topic, pair] of pairs) {
        const suppression = asSuppression(pair, nowMs);
        if (suppression) yield [peer, topic, suppression];
      }
    }
  }

  recentTimeouts(peer: PeerId, topic: string, nowMs: number): number {
    const pair = this.#get(peer, topic);
    return pair ? recent(pair, nowMs) : 0;
  }

  peerDown(peer: PeerId): void {
    this.#pairs -= this.#byPeer.get(peer)?.size ?? 0;
    this.#byPeer.delete(peer);
  }

  forgetTopic(topic: string): void {
    for (const [peer, pairs] of this.#byPeer) {
      if (pairs.delete(topic)) this.#pairs -= 1;
      if (pairs.size === 0) this.#byPeer.delete(peer);
    }
  }

  /** Forgets pairs that have nothing left to remember; gives how many. */
  clean(nowMs: number): number {
    let removed = 0;
    for (const [peer, pairs] of this.#byPeer) {
      for (const [topic, pair] of pairs) {
        const isWorthKeeping = pair.state !== 'open' || recent(pair, nowMs) > 0;
        const idleSecs = (nowMs - pair.easedAtMs) / 1_000;
        if (isWorthKeeping || pair.nextCooldownMs * DECAY_PER_SEC ** idleSecs > COOLDOWN_MS.shortest)
          continue;
        pairs.delete(topic);
        removed += 1;
      }
      if (pairs.size === 0) this.#byPeer.delete(peer);
    }
    this.#pairs -= removed;
    return removed;
  }

  #suppress(pair: Pair, nowMs: number): void {
    pair.state = 'cooldown';
    pair.cooldownMs = pair.nextCooldownMs;
    pair.nextCooldownMs = Math.min(COOLDOWN_MS.longest, pair.nextCooldownMs * 2);
    pair.cooledAtMs = nowMs;
    pair.untilMs = nowMs + pair.cooldownMs;
    pair.probeId = null;
    pair.easedAtMs = nowMs;
    this.coolings += 1;
    this.#plan(pair);
  }

  #open(pair: Pair, nowMs: number): void {
    pair.state = 'open';
    pair.probeId = null;
    pair.timeoutsAtMs = [];
    pair.easedAtMs = nowMs;
  }

  #plan({ state, untilMs }: Pair): void {
    if (state === 'cooldown') this.#dueMs = Math.min(this.#dueMs, untilMs);
    if (state === 'recovery_ready') this.#dueMs = Math.min(this.#dueMs, untilMs + READY_WAIT_MS);
  }

  #get(peer: PeerId, topic: string): Pair | undefined {
    return this.#byPeer.get(peer)?.get(topic);
  }

  #pair(peer: PeerId, topic: string): Pair | undefined {
    const known = this.#get(peer, topic);
    if (known) return known;
    if (this.#pairs >= MAX_PAIRS) {
      this.forgotten += 1;
      return undefined;
    }
    const pair: Pair = {
      state: 'open',
      timeoutsAtMs: [],
      cooldownMs: COOLDOWN_MS.shortest,
      nextCooldownMs: COOLDOWN_MS.shortest,
      cooledAtMs: 0,
      untilMs: 0,
      probeId: null,
      easedAtMs: 0,
    };
    const pairs = this.#byPeer.get(peer);
    if (pairs) pairs.set(topic, pair);
    else this.#byPeer.set(peer, new Map([[topic, pair]]));
    this.#pairs += 1;
    return pair;
  }
}

function recent({ timeoutsAtMs }: Pair, nowMs: number): number {
  return timeoutsAtMs.filter((atMs) => nowMs - atMs < WINDOW_MS).length;
}

function asSuppression(pair: Pair, nowMs: number): Suppression | undefined {
  const { state, cooldownMs, cooledAtMs, untilMs, probeId } = pair;
  if (state === 'open') return undefined;
  return { state, cooldownMs, cooledAtMs, untilMs, probeId, recentTimeouts: recent(pair, nowMs) };
}
