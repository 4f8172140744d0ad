import type { Priority } from './topic-priority.ts';

/** What one peer may have waiting; a stalled peer costs no more than this. */
const MAX_BYTES = 8_388_608;
const MAX_FRAMES: Readonly<Record<Priority | 'control', number>> = {
  critical: 64, // as many as upstream lets wait for its critical lane
  normal: 4_096,
  bulk: 64,
  control: 512,
};

export type LaneName = Priority | 'control';

/** How much waits for one peer, lane by lane. A full lane of one kind never takes the room of another. */
export class PeerLanes {
  readonly depths: Record<LaneName, number> = { critical: 0, normal: 0, bulk: 0, control: 0 };
  #bestEffortBytes = 0;

  /** Whether as many frames wait as may, whatever their bytes. */
  isFull(lane: LaneName): boolean {
    return this.depths[lane] >= MAX_FRAMES[lane];
  }

  hasRoom(lane: LaneName, bytes: number): boolean {
    if (this.isFull(lane)) return false;
    return !isBestEffort(lane) || this.#bestEffortBytes + bytes <= MAX_BYTES;
  }

  take(lane: LaneName, bytes: number): void {
    this.depths[lane] += 1;
    if (isBestEffort(lane)) this.#bestEffortBytes += bytes;
  }

  release(lane: LaneName, bytes: number): void {
    this.depths[lane] -= 1;
    if (isBestEffort(lane)) this.#bestEffortBytes -= bytes;
  }
}

function isBestEffort(lane: LaneName): boolean {
  return lane === 'normal' || lane === 'bulk';
}
