import { control } from './activate.ts';
import { lockHost } from './deploy-lock.ts';
import { type HostReport, notAttempted, type Outcome } from './deploy-report.ts';
import { currentVersion, type HostLook } from './host-look.ts';
import type { Interrupts } from './interrupts.ts';
import { problemOf } from './problem.ts';
import { asRunning, peersOf, settle } from './settle.ts';
import type { Site } from './site.ts';

/** What is done to one host; gives what it is left with. */
export type HostChange = (site: Site, look: HostLook) => Promise<Pick<HostReport, 'version' | 'problems'>>;

/**
 * Changes one host after the other and stops at the first that is not well afterwards, or after the one in hand when it is
 * asked to end; those behind it are left alone.
 */
export async function oneByOne(
  sites: readonly Site[],
  outcome: Outcome,
  change: HostChange,
  { signal, abandon }: Interrupts,
): Promise<readonly HostReport[]> {
  const reports: HostReport[] = [];
  for (const site of sites) {
    const isOver = signal.aborted || reports.some(({ problems }) => problems.length > 0);
    reports.push(isOver ? notAttempted(site) : await changeOne(site, outcome, change, abandon));
  }
  return reports;
}

async function changeOne(
  site: Site,
  outcome: Outcome,
  change: HostChange,
  signal: AbortSignal,
): Promise<HostReport> {
  const report = { host: site.name, uploadedBytes: 0 };
  try {
    await using _lock = await lockHost(site.host, signal);
    const look = await site.look({ depth: 'quick' }, signal);
    const { version, problems } = await change(site, look);
    return { ...report, outcome: problems.length === 0 ? outcome : 'failed', version, problems };
  } catch (error) {
    signal.throwIfAborted();
    return { ...report, outcome: 'failed', version: null, problems: [problemOf(site.name, error)] };
  }
}

/** Restarts node and runner host after host; a host is done when it is connected with all that run. */
export function restartAll(
  sites: readonly Site[],
  mesh: readonly Site[],
  interrupts: Interrupts,
): Promise<readonly HostReport[]> {
  const { abandon: signal } = interrupts;
  const restart: HostChange = async (site, look) => {
    const before = await site.view(signal);
    await control(site.host, 'restart', signal);
    await site.forget();
    const bootIdBefore = 'silent' in before ? null : before.bootId;
    const settled = await settle(
      [{ site, judged: asRunning(site, look, currentVersion(look), bootIdBefore) }, ...peersOf(site, mesh)],
      signal,
    );
    return { version: currentVersion(look), problems: settled.problems };
  };
  return oneByOne(sites, 'restarted', restart, interrupts);
}

/** Stops node and runner on all hosts at the same time. */
export async function stopAll(sites: readonly Site[], signal: AbortSignal): Promise<readonly HostReport[]> {
  const stop: HostChange = async (site, look) => {
    await control(site.host, 'stop', signal);
    return { version: currentVersion(look), problems: [] };
  };
  return await Promise.all(sites.map((site) => changeOne(site, 'stopped', stop, signal)));
}
