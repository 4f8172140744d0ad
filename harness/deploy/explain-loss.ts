import { realClock } from '../../kit/clock.ts';
import type { HostLook } from './host-look.ts';
import { deployError, type Problem } from './problem.ts';
import type { Surveyed } from './survey.ts';

// A machine that was restarted is back within this, or counts as lost for this deployment.
const COME_BACK_BUDGET_MS = 60_000;
const COME_BACK_POLL_MS = 2_000;

/** What a failed step was about: when the machine itself was restarted under it, then that is what happened. */
export async function explainLoss(
  { site, look }: Pick<Surveyed, 'site' | 'look'>,
  problem: Problem,
  signal: AbortSignal,
): Promise<Problem> {
  if (problem.lasting) return problem;
  const untilMs = realClock.nowMs() + COME_BACK_BUDGET_MS;
  for (;;) {
    const now = await site.look({ depth: 'quick' }, signal).catch((): HostLook | null => null);
    signal.throwIfAborted();
    if (now !== null && now.bootId !== look.bootId) {
      const { message } = deployError(
        'HOST_REBOOTED',
        site.name,
        `was restarted meanwhile (${problem.message})`,
      );
      return { host: site.name, code: 'HOST_REBOOTED', message };
    }
    if ((now !== null && !now.isShuttingDown) || realClock.nowMs() > untilMs) return problem;
    await realClock.sleep(COME_BACK_POLL_MS, signal);
  }
}
