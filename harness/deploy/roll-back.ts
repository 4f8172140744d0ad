import { activate } from './activate.ts';
import type { HostReport } from './deploy-report.ts';
import type { Interrupts } from './interrupts.ts';
import { deployError } from './problem.ts';
import { type HostChange, oneByOne } from './services.ts';
import { asRunning, peersOf, settle } from './settle.ts';
import type { Site } from './site.ts';

/**
 * Brings the release from before back, one host after the other, and stops at the first that does not come up with it.
 * Doing it twice ends where it began. A host without a release from before is `DEPLOY_NOTHING_BEFORE`.
 */
export function rollBack(
  sites: readonly Site[],
  mesh: readonly Site[],
  interrupts: Interrupts,
): Promise<readonly HostReport[]> {
  const { abandon: signal } = interrupts;
  const goBack: HostChange = async (site, look) => {
    const before = look.releases.find(({ id }) => id === look.previousRelease);
    if (before === undefined) {
      throw deployError('DEPLOY_NOTHING_BEFORE', site.name, 'there is no release from before to go back to');
    }
    await site.forget();
    await activate(site.host, before.id, signal);
    const settled = await settle(
      [{ site, judged: asRunning(site, look, before.version) }, ...peersOf(site, mesh)],
      signal,
    );
    return { version: before.version, problems: settled.problems };
  };
  return oneByOne(sites, 'rolled_back', goBack, interrupts);
}
