import { activate, control, deactivate, forgetRelease, rememberIdentity } from './activate.ts';
import type { Artifact } from './artifact.ts';
import type { DeployLocks } from './deploy-lock.ts';
import type { DeployEvent, HostReport, Outcome } from './deploy-report.ts';
import { expectationOf } from './expectation.ts';
import { explainLoss } from './explain-loss.ts';
import { isRunning } from './host-look.ts';
import type { Interrupts } from './interrupts.ts';
import { deployError, isUnreachable, type Problem, problemOf } from './problem.ts';
import { asRunning, ownProblems, type SettlingSite, settle } from './settle.ts';
import { runningVersion, type Surveyed } from './survey.ts';

export interface RollOutOptions {
  readonly artifact: Artifact;
  readonly parallel: number | null;
  /** Hosts of the mesh that are not to be changed: the other ends of connections. */
  readonly strangers: readonly SettlingSite[];
  /** Of every host that is to be changed. */
  readonly locks: Pick<DeployLocks, 'hold'>;
  readonly tell: (event: DeployEvent) => void;
}

/**
 * Changes hosts over batch by batch. A batch is verified, with connections to all that run, before the next begins; the
 * first one that is not as it should be ends it, with its hosts as they were before. So does being asked to end, once the
 * batch in hand is done.
 */
export async function rollOut(
  hosts: readonly Surveyed[],
  options: RollOutOptions,
  { signal, abandon }: Interrupts,
): Promise<readonly HostReport[]> {
  const reports: HostReport[] = [];
  const toChange = hosts.filter(({ plan }) => plan.change !== 'none');
  const active = new Set(hosts.filter((host) => isRunning(host.look)));
  for (const host of hosts) if (!toChange.includes(host)) reports.push(reportOf(host, 'unchanged', []));
  const batchSize = options.parallel ?? (active.size === 0 ? Math.max(1, toChange.length) : 1);
  for (let at = 0; at < toChange.length; at += batchSize) {
    if (signal.aborted || reports.some(({ problems }) => problems.length > 0)) {
      reports.push(...toChange.slice(at).map((host) => reportOf(host, 'not_attempted', [])));
      break;
    }
    const batch = toChange.slice(at, at + batchSize);
    const others = [...active].filter((host) => !batch.includes(host));
    reports.push(...(await changeBatch(batch, others, options, abandon)));
    for (const host of batch) active.add(host);
  }
  return reports;
}

async function changeBatch(
  batch: readonly Surveyed[],
  others: readonly Surveyed[],
  options: RollOutOptions,
  signal: AbortSignal,
): Promise<readonly HostReport[]> {
  const { artifact, strangers, locks, tell } = options;
  const problems: Problem[] = [];
  const touched = new Set<Surveyed>();
  await Promise.all(
    batch.map(async (host) => {
      tell({ event: 'step', host: host.site.name, text: describeChange(host) });
      try {
        await keepOthersOff(host, locks, signal);
        touched.add(host);
        await changeOver(host, signal);
        tell({ event: 'step', host: host.site.name, text: 'started; verify it and its connections' });
      } catch (error) {
        signal.throwIfAborted();
        problems.push(await explainLoss(host, problemOf(host.site.name, error), signal));
      }
    }),
  );
  const changed = batch.filter(({ site }) => !problems.some(({ host }) => host === site.name));
  const judged: SettlingSite[] = changed.map((host) => ({
    site: host.site,
    judged: {
      as: 'expected',
      expected: expectationOf(host, artifact, 'silent' in host.view ? null : host.view.bootId),
    },
  }));
  const observers = others.map(({ site }): SettlingSite => ({ site, judged: { as: 'peer' } }));
  const settled = await settle([...judged, ...observers, ...strangers], signal);
  problems.push(...settled.problems);
  return await Promise.all(
    batch.map(async (host) => {
      const own = ownProblems(host.site.name, problems);
      let report: HostReport;
      if (!touched.has(host)) report = leftAlone(host, own);
      else if (own.length === 0) report = await accept(host, settled.machineIds, signal);
      else report = await undo(host, own, locks, signal);
      tell({ event: 'outcome', host: report.host, outcome: report.outcome });
      return report;
    }),
  );
}

/**
 * A host may wait long for its turn, or for its verdict. When its lock was lost meanwhile, with its connection, then it is
 * taken again, and the host looked at again: what somebody else has made of it is not ours to change.
 */
async function keepOthersOff(
  { site, look, plan }: Surveyed,
  locks: RollOutOptions['locks'],
  signal: AbortSignal,
): Promise<void> {
  if ((await locks.hold(site.host, signal)) === 'held') return;
  const now = await site.look({ depth: 'quick' }, signal);
  const isThere = now.releases.some(({ id }) => id === plan.release.id);
  if (isThere && [look.currentRelease, plan.release.id].includes(now.currentRelease)) return;
  const why = 'another deployment has changed it while the connection was lost; deploy again';
  throw deployError('DEPLOY_LOCKED', site.name, why);
}

async function changeOver({ site, plan }: Surveyed, signal: AbortSignal): Promise<void> {
  await site.forget();
  if (plan.change === 'start') await control(site.host, 'start', signal);
  else await activate(site.host, plan.release.id, signal);
}

async function accept(
  host: Surveyed,
  machineIds: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<HostReport> {
  const { site, look, plan } = host;
  const outcomes = {
    install: 'installed',
    upgrade: 'upgraded',
    start: 'started',
    none: 'unchanged',
  } as const;
  const problems: Problem[] = [];
  try {
    const machineId = machineIds.get(site.name);
    if (look.machineId === null && machineId !== undefined)
      await rememberIdentity(site.host, machineId, signal);
  } catch (error) {
    signal.throwIfAborted();
    problems.push(problemOf(site.name, error));
  }
  return reportOf(host, outcomes[plan.change], problems);
}

/** Brings back what was there: the release from before, or nothing running where there was none. */
async function undo(
  host: Surveyed,
  problems: readonly Problem[],
  locks: RollOutOptions['locks'],
  signal: AbortSignal,
): Promise<HostReport> {
  const { site, plan, look } = host;
  const hasOwnFault = problems.some(({ peer }) => peer === undefined);
  try {
    if (plan.change === 'upgrade' && plan.from !== null && plan.from !== plan.release.id) {
      await keepOthersOff(host, locks, signal);
      await site.forget();
      await activate(site.host, plan.from, signal);
      await forgetRelease(site.host, plan.release.id, look.previousRelease, signal);
      const settled = await settle([{ site, judged: asRunning(site, look, plan.fromVersion) }], signal);
      const outcome: Outcome = settled.problems.length === 0 ? 'rolled_back' : 'failed';
      return { ...reportOf(host, outcome, [...problems, ...settled.problems]), version: plan.fromVersion };
    }
    // A whole host that only lacks connections stays up: its network is what has to be looked at.
    if (plan.change === 'install' && hasOwnFault) {
      await keepOthersOff(host, locks, signal);
      await deactivate(site.host, signal);
      return { ...reportOf(host, 'failed', problems), version: null };
    }
    return reportOf(host, 'failed', problems);
  } catch (error) {
    signal.throwIfAborted();
    const { message, ...problem } = problemOf(site.name, error);
    const said = message.replace(`${site.name}: `, '');
    const again = { ...problem, message: `${site.name}: taking it back failed too: ${said}` };
    const outcome: Outcome = isUnreachable(again) ? 'unreachable' : 'failed';
    return { ...reportOf(host, outcome, [...problems, again]), version: null };
  }
}

function leftAlone(host: Surveyed, problems: readonly Problem[]): HostReport {
  const outcome: Outcome = problems.some(isUnreachable) ? 'unreachable' : 'failed';
  return { ...reportOf(host, outcome, problems), version: runningVersion(host.look) };
}

function describeChange({ plan }: Surveyed): string {
  if (plan.change === 'start') return 'start';
  return plan.change === 'install' ? 'start the first release' : 'change over to the new release';
}

function reportOf(host: Surveyed, outcome: Outcome, problems: readonly Problem[]): HostReport {
  const isNew =
    outcome === 'installed' || outcome === 'upgraded' || outcome === 'started' || outcome === 'failed';
  const uploaded = host.plan.steps.find((step) => step.do === 'install_version')?.uploadBytes ?? 0;
  return {
    host: host.site.name,
    outcome,
    version: isNew ? host.plan.release.version : runningVersion(host.look),
    uploadedBytes: uploaded,
    problems,
  };
}
