import type { Clock } from '../../kit/clock.ts';

/**
 * Waits for what `begin` settles, or for `untilMs` of the clock, which gives `atDeadline`. However it ends, the
 * function that `begin` gave is called and `stop` is aborted. Rejects with the reason of `signal` when that aborts first.
 */
export async function raceDeadline<T>(
  bounds: {
    readonly clock: Clock;
    readonly untilMs: number;
    readonly atDeadline: T;
    readonly signal: AbortSignal;
  },
  begin: (settle: (value: T) => void, stop: AbortSignal) => () => void,
): Promise<T> {
  const { clock, untilMs, atDeadline, signal } = bounds;
  signal.throwIfAborted();
  const stop = new AbortController();
  return await new Promise<T>((resolve, reject) => {
    let isOver = false;
    let end = () => {};
    // The first to come ends the race at once, so that a loser can have no effect any more.
    const over = (conclude: () => void) => {
      if (isOver) return;
      isOver = true;
      signal.removeEventListener('abort', onAbort);
      end();
      stop.abort();
      conclude();
    };
    const onAbort = () => over(() => reject(signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
    clock.sleep(untilMs - clock.nowMs(), stop.signal).then(
      () => over(() => resolve(atDeadline)),
      () => {}, // `stop` was aborted: the race is over
    );
    end = begin((value) => over(() => resolve(value)), stop.signal);
    if (isOver) end();
  });
}
