import { BoundedMap } from '../../kit/bounded.ts';
import type { PeerId } from '../transport/transport.ts';

const WINDOW_MS = 10_000;
const MAX_FRAMES_PER_WINDOW = 8; // an honest peer sends one per new link and one each 30 s
const MAX_PEERS = 4_096;

/** How many peers frames each peer may make this node read: 8 in 10 s. */
export class IntakeLimit {
  readonly #windows = new BoundedMap<PeerId, { readonly sinceMs: number; frames: number }>({
    max: MAX_PEERS,
  });

  admits(peerId: PeerId, nowMs: number): boolean {
    const window = this.#windows.get(peerId);
    if (window === undefined || nowMs - window.sinceMs >= WINDOW_MS) {
      this.#windows.delete(peerId);
      this.#windows.set(peerId, { sinceMs: nowMs, frames: 1 });
      return true;
    }
    window.frames += 1;
    return window.frames <= MAX_FRAMES_PER_WINDOW;
  }
}
