import { BoundedMap } from '../../../kit/bounded.ts';
import type { Cut, Packet } from './link.ts';
import { quicFlowOf } from './quic-header.ts';

const NEW_CONNECTIONS_MAX = 256; // of one pair, within one fault

/** Drops everything, or what has more bytes than given. */
export class SizeCut implements Cut {
  readonly #largerThanBytes: number;
  readonly #onMatch: () => void;

  constructor(largerThanBytes: number | null, onMatch: () => void) {
    this.#largerThanBytes = largerThanBytes ?? -1;
    this.#onMatch = onMatch;
  }

  stops({ bytes }: Packet): boolean {
    return bytes > this.#largerThanBytes;
  }

  matched(): void {
    this.#onMatch();
  }
}

/**
 * Drops what belongs to connections made before it began, and lets new ones through: a NAT that forgot its mappings.
 * A connection is new when its handshake was seen on the pair since, whoever began it; probes are new ones too.
 */
export class LiveFlowCut implements Cut {
  readonly #newIds = new BoundedMap<string, true>({ max: NEW_CONNECTIONS_MAX });
  readonly #largerThanBytes: number;
  readonly #onMatch: () => void;

  constructor(largerThanBytes: number | null, onMatch: () => void) {
    this.#largerThanBytes = largerThanBytes ?? -1;
    this.#onMatch = onMatch;
  }

  /** A packet entered the opposite direction: the ids in a handshake are those that packets in ours will bear. */
  sawOpposite({ data }: Packet): void {
    if (data === null) return;
    const flow = quicFlowOf(data);
    if (flow.stage === 'handshake') this.#newIds.set(flow.senderId, true);
  }

  stops({ bytes, data }: Packet): boolean {
    if (data === null || bytes <= this.#largerThanBytes) return false;
    const flow = quicFlowOf(data);
    return flow.stage === 'established' && !this.#newIds.has(flow.receiverId);
  }

  matched(): void {
    this.#onMatch();
  }
}
