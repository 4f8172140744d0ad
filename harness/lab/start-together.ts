import pLimit from 'p-limit';

/** Programs that come up at once: enough for any mesh of a desk, few enough that each is up within its own budget. */
const CONCURRENT_STARTS = 16;

/**
 * Carries out all `works` at once, within a limit. When one fails the others are told to stop, and only when none is
 * under way any more is that first failure thrown: nothing is ever started behind the back of a clean-up.
 */
export async function startTogether<T>(
  works: readonly ((signal: AbortSignal) => Promise<T>)[],
  outer: AbortSignal,
): Promise<readonly T[]> {
  const failed = new AbortController();
  const signal = AbortSignal.any([outer, failed.signal]);
  const limit = pLimit(CONCURRENT_STARTS);
  const settled = await Promise.allSettled(
    works.map((work) =>
      limit(async () => {
        try {
          signal.throwIfAborted();
          return await work(signal);
        } catch (error) {
          failed.abort(error);
          throw error;
        }
      }),
    ),
  );
  signal.throwIfAborted();
  return settled.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}
