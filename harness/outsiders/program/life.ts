import { realClock } from '../../../kit/clock.ts';
import { codeOf } from '../../../kit/errors.ts';
import type { Random } from '../../../kit/random.ts';
import type { QuicTransportModules } from '../../../node/transport/quic-transport.ts';
import type { OutsiderKind } from '../../../scenarios/outsiders.ts';
import type { OutsiderAddress } from '../protocol.ts';

/** What one outsider did so far. */
export interface Tally {
  dialled: number;
  handshakes: number;
  refused: number;
  lastRefusal: string | null;
  framesSent: number;
  closedByPeer: number;
}

export interface Outsider {
  readonly kind: OutsiderKind;
  readonly bind: OutsiderAddress;
  readonly targets: readonly OutsiderAddress[];
  readonly networkId: string;
}

/** One identity of an outsider, from its first dial until it is known and refused. */
export interface Life {
  readonly outsider: Outsider;
  readonly modules: QuicTransportModules;
  readonly random: Random;
  readonly tally: Tally;
}

export function newTally(): Tally {
  return { dialled: 0, handshakes: 0, refused: 0, lastRefusal: null, framesSent: 0, closedByPeer: 0 };
}

/** Waits, and comes back early when it is over. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await realClock.sleep(ms, signal).catch(() => {});
}

/** One dial: what it gave, or the code of its refusal. */
export async function dialOnce<T>(
  tally: Tally,
  dial: () => Promise<T>,
): Promise<{ readonly linked: T } | { readonly refusal: string }> {
  tally.dialled += 1;
  try {
    const linked = await dial();
    tally.handshakes += 1;
    return { linked };
  } catch (error) {
    tally.refused += 1;
    tally.lastRefusal = codeOf(error);
    return { refusal: tally.lastRefusal };
  }
}
