import { BoundedMap } from '../../kit/bounded.ts';
import type { PeerId } from '../transport/transport.ts';

const WINDOW_MS = 5_000;
const MAX_FRAMES_PER_WINDOW = 512; // two for each of 256 topics; the work of one is a sort of at most 256 streams
const MAX_PEERS = 4_096;

/** How many frames about heads and vectors each peer may make this node work on: 512 in 5 s. */
export class SyncAllowance {
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
