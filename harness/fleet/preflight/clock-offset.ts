import { type Clock, realClock } from '../../../kit/clock.ts';
import { withinBudget } from '../../../kit/deadline.ts';
import { missing, type Observation, seen } from '../../../proofs/observation.ts';
import type { Host } from '../host.ts';

const ASKED = 8;
const BUDGET_MS = 10_000;
/** Our wall clock tells whole milliseconds, cut off. */
const RESOLUTION_MS = 1;

/** How far the host's clock is ahead of ours; negative when it is behind. */
export interface ClockOffset {
  readonly offsetMs: number;
  /** Half of the round trip, and of a tick of our clock: the true offset is within this of `offsetMs`. */
  readonly uncertaintyMs: number;
}

interface Answer {
  readonly sentWallMs: number;
  readonly roundTripMs: number;
  readonly hostWallMs: number;
}

/** The estimate from the quickest answer (Cristian, 1989): the host looked at its clock at some time of the round trip. */
export function estimateOffset(answers: readonly Answer[]): ClockOffset | null {
  const quickest = answers.toSorted((a, b) => a.roundTripMs - b.roundTripMs)[0];
  if (quickest === undefined) return null;
  const { sentWallMs, roundTripMs, hostWallMs } = quickest;
  const oursMs = sentWallMs + RESOLUTION_MS / 2 + roundTripMs / 2;
  return { offsetMs: hostWallMs - oursMs, uncertaintyMs: (roundTripMs + RESOLUTION_MS) / 2 };
}

/** Asks the host for its time, over one open session so that a round trip is little more than the network's. */
export async function measureOffset(
  host: Host,
  signal: AbortSignal,
  clock: Clock = realClock,
): Promise<Observation<ClockOffset>> {
  await using session = await host.session(['sh'], { signal });
  const lines = session.lines[Symbol.asyncIterator]();
  const answers: Answer[] = [];
  for (let asked = 0; asked < ASKED; asked += 1) {
    const sentWallMs = clock.wallMs();
    const sentMs = clock.nowMs();
    session.send('date +%s%N');
    const { value, done } = await withinBudget(
      'the host saying its time',
      BUDGET_MS,
      () => lines.next(),
      signal,
    );
    if (done || !/^\d{19}$/.test(value)) {
      return missing(
        'unreadable',
        done ? 'the host did not say its time' : `"${value}" is no time in nanoseconds`,
      );
    }
    const hostWallMs = Number(BigInt(value) / 1_000n) / 1_000;
    answers.push({ sentWallMs, roundTripMs: clock.nowMs() - sentMs, hostWallMs });
  }
  const estimate = estimateOffset(answers);
  return estimate === null ? missing('unreadable', 'the host did not say its time') : seen(estimate);
}
