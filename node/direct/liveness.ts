import { BoundedMap } from '../../kit/bounded.ts';
import type { PeerId } from '../transport/transport.ts';

const FAILURES_TO_CLOSE = 5;
const FAILURE_WINDOW_MS = 60_000;
/** Sends that gave the peer less time than this prove nothing about its connection. */
const LEAST_TELLING_WAIT_MS = 1_000;

/**
 * Tells a half-dead connection: QUIC lives, yet nothing we ask for is answered. Five double failures (first try and
 * retry) in a row within 60 s on one connection are enough; any answer, a refusal included, starts the count anew.
 */
export class Liveness {
  readonly #failures = new BoundedMap<
    PeerId,
    { readonly generation: number; readonly atMs: readonly number[] }
  >({
    max: 1_024,
  });

  answered(peerId: PeerId): void {
    this.#failures.delete(peerId);
  }

  /** Both tries of a send stayed unanswered on this connection, after `waitedMs` in all. `close`: give it up. */
  unanswered(peerId: PeerId, generation: number, waitedMs: number, nowMs: number): 'keep' | 'close' {
    if (waitedMs < LEAST_TELLING_WAIT_MS) return 'keep';
    const known = this.#failures.get(peerId);
    const recent = known?.generation === generation ? known.atMs : [];
    const atMs = [...recent.filter((at) => nowMs - at < FAILURE_WINDOW_MS), nowMs];
    if (atMs.length >= FAILURES_TO_CLOSE) {
      this.#failures.delete(peerId);
      return 'close';
    }
    this.#failures.set(peerId, { generation, atMs });
    return 'keep';
  }
}
