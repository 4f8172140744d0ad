import pLimit from 'p-limit';
import { prune } from './activate.ts';
import { DeployLocks } from './deploy-lock.ts';
import { isUpgradeOfRunning } from './deploy-plan.ts';
import type { DeployEvent, DeployReport, HostReport, Outcome } from './deploy-report.ts';
import { expectationOf } from './expectation.ts';
import { explainLoss } from './explain-loss.ts';
import { type HostLook, isRunning } from './host-look.ts';
import type { Interrupts } from './interrupts.ts';
import { judgeContent } from './judge-host.ts';
import { PackedParts } from './packed-parts.ts';
import { prepare } from './prepare.ts';
import { deployError, isUnreachable, type Problem, problemOf } from './problem.ts';
import { rollOut } from './roll-out.ts';
import { asRunning, type SettlingSite, settle } from './settle.ts';
import type { Site } from './site.ts';
import { runningVersion, type Surveyed, type SurveyOptions, survey } from './survey.ts';

export interface DeployOptions extends SurveyOptions {
  /** Hosts changed at the same time; null is all at once where nothing runs yet, else one after the other. */
  readonly parallel: number | null;
  readonly tell: (event: DeployEvent) => void;
}

const CONCURRENT_HOSTS = 6;

/**
 * Brings every host to the release that artifact and inventory make: looks, sends what is missing to all, then changes
 * over batch by batch, each verified before the next. A host that does not come up as it should is rolled back, and
 * nothing further is changed. What cannot be reached is left out. Ends with a look at the whole mesh. Asked to end before
 * anything is changed over, it throws the reason; later it ends after the batch in hand, with a report.
 */
export async function deploy(options: DeployOptions, interrupts: Interrupts): Promise<DeployReport> {
  const { signal } = interrupts;
  const { surveyed, unseen } = await survey(options, signal);
  const reports = new Map<string, HostReport>();
  for (const { site, problem } of unseen) {
    reports.set(
      site.name,
      reportOf(site.name, isUnreachable(problem) ? 'unreachable' : 'failed', null, [problem]),
    );
  }
  const refused = surveyed.filter(({ plan }) => plan.refusals.length > 0);
  for (const host of refused) reports.set(host.site.name, asItWas(host, 'refused', host.plan.refusals));

  await using locks = new DeployLocks();
  let ready: readonly Surveyed[] = surveyed.filter((host) => !refused.includes(host));
  const failed = await prepareAll(ready, options, locks, signal);
  for (const [host, problem] of failed) reports.set(host.site.name, asItWas(host, 'failed', [problem]));
  ready = ready.filter((host) => !failed.has(host));

  // Versions would differ for no good reason where a living mesh cannot change over as a whole: leave it as it is.
  if (refused.length + failed.size > 0 && surveyed.some(({ look }) => isUpgradeOfRunning(look))) {
    for (const host of ready) {
      reports.set(
        host.site.name,
        asItWas(host, host.plan.change === 'none' ? 'unchanged' : 'not_attempted', []),
      );
    }
  } else {
    const roll = { ...options, locks, strangers: strangersOf(options.sites, options.mesh) };
    for (const report of await rollOut(ready, roll, interrupts)) reports.set(report.host, report);
  }
  return await conclude(surveyed, reports, options, interrupts);
}

/** Checks that every host runs exactly what artifact and inventory make, and the mesh; changes nothing. */
export async function verifyDeployment(options: SurveyOptions, signal: AbortSignal): Promise<DeployReport> {
  const { surveyed, unseen } = await survey(options, signal);
  const { artifact } = options;
  const settled = await settle(
    [
      ...surveyed.map(({ site, look }) => ({ site, judged: asRunning(site, look, null) })),
      ...strangersOf(options.sites, options.mesh),
    ],
    signal,
  );
  const seen = surveyed.map((host) => {
    const content = judgeContent(expectationOf(host, artifact, null), host.look, host.view);
    const own = [...settled.problems.filter((problem) => problem.host === host.site.name), ...content];
    return asItWas(host, own.length === 0 ? 'unchanged' : 'failed', own);
  });
  const lost = unseen.map(({ site, problem }) => reportOf(site.name, 'unreachable', null, [problem]));
  return {
    artifact: artifact.digest,
    hosts: [...seen, ...lost],
    acknowledged: settled.acknowledged,
    pairs: settled.pairs,
    unanswered: settled.unanswered,
    problems: [],
  };
}

/** Everything that does not disturb what runs, on all hosts at the same time. */
async function prepareAll(
  hosts: readonly Surveyed[],
  { artifact, tell }: DeployOptions,
  locks: DeployLocks,
  signal: AbortSignal,
): Promise<ReadonlyMap<Surveyed, Problem>> {
  const limit = pLimit(CONCURRENT_HOSTS);
  await using parts = new PackedParts(artifact);
  const failed = new Map<Surveyed, Problem>();
  await Promise.all(
    hosts
      .filter(({ plan }) => plan.steps.length > 0)
      .map((host) =>
        limit(async () => {
          try {
            await locks.hold(host.site.host, signal);
            await checkUnchanged(host, signal);
            await prepare(host, parts, tell, signal);
          } catch (error) {
            signal.throwIfAborted();
            failed.set(host, await explainLoss(host, problemOf(host.site.name, error), signal));
          }
        }),
      ),
  );
  return failed;
}

/** The lock may have been waited for, and the plan be about a host that another deployment has changed meanwhile. */
async function checkUnchanged({ site, look }: Surveyed, signal: AbortSignal): Promise<void> {
  const now = await site.look({ depth: 'quick' }, signal);
  const holds = ({ currentRelease, releases, versions }: HostLook) =>
    JSON.stringify([currentRelease, releases.map(({ id }) => id), versions]);
  if (holds(now) !== holds(look))
    throw deployError('DEPLOY_LOCKED', site.name, 'another deployment has just changed it; deploy again');
}

/** Looks at the whole mesh once more, unless it was asked to end, and tidies up where all is well. */
async function conclude(
  surveyed: readonly Surveyed[],
  reports: ReadonlyMap<string, HostReport>,
  { artifact, sites, mesh }: DeployOptions,
  { signal, abandon }: Interrupts,
): Promise<DeployReport> {
  const hosts = mesh.filter((site) => sites.includes(site)).flatMap(({ name }) => reports.get(name) ?? []);
  if (signal.aborted)
    return { artifact: artifact.digest, hosts, acknowledged: 0, pairs: 0, unanswered: [], problems: [] };
  const current = surveyed.filter((host) => isUp(host, reports.get(host.site.name)));
  // Digests were compared when each was changed over; those of the others were part of the survey.
  const unchanged = current.filter(({ site }) => reports.get(site.name)?.outcome === 'unchanged');
  const content = unchanged.flatMap((host) =>
    judgeContent(expectationOf(host, artifact, null), host.look, host.view),
  );
  const settled = await settle(
    [
      ...current.map(({ site, look }) => ({
        site,
        judged: asRunning(site, look, reports.get(site.name)?.version ?? null),
      })),
      ...strangersOf(sites, mesh),
    ],
    abandon,
  );
  const problems = [...content, ...settled.problems];
  const isTidy =
    problems.length === 0 && [...reports.values()].every((report) => report.problems.length === 0);
  if (isTidy) problems.push(...(await pruneAll(current, abandon)));
  return {
    artifact: artifact.digest,
    hosts,
    acknowledged: settled.acknowledged,
    pairs: settled.pairs,
    unanswered: settled.unanswered,
    problems,
  };
}

/** Removes what is beyond the kept releases; what cannot be removed is told, and harms nobody. */
async function pruneAll(hosts: readonly Surveyed[], signal: AbortSignal): Promise<readonly Problem[]> {
  const limit = pLimit(CONCURRENT_HOSTS);
  const problems = hosts.flatMap(({ site, plan }) =>
    plan.steps.map((step) =>
      limit(async (): Promise<readonly Problem[]> => {
        try {
          if (step.do === 'prune') await prune(site.host, step, signal);
          return [];
        } catch (error) {
          signal.throwIfAborted();
          return [problemOf(site.name, error)];
        }
      }),
    ),
  );
  return (await Promise.all(problems)).flat();
}

/** The hosts that the command is not about: the other ends of connections where they answer. */
function strangersOf(sites: readonly Site[], mesh: readonly Site[]): readonly SettlingSite[] {
  return mesh.filter((site) => !sites.includes(site)).map((site) => ({ site, judged: { as: 'peer' } }));
}

/** Whether a node should be running there now, whichever version. */
function isUp({ look }: Surveyed, report: HostReport | undefined): boolean {
  if (report === undefined || report.outcome === 'unreachable' || report.outcome === 'failed') return false;
  return report.version !== null && (report.outcome !== 'not_attempted' || isRunning(look));
}

/** The report of a host that was not changed. */
function asItWas({ site, look }: Surveyed, outcome: Outcome, problems: readonly Problem[]): HostReport {
  return reportOf(site.name, outcome, runningVersion(look), problems);
}

function reportOf(
  host: string,
  outcome: Outcome,
  version: string | null,
  problems: readonly Problem[],
): HostReport {
  return { host, outcome, version, uploadedBytes: 0, problems };
}
