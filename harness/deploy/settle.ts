import { type Clock, realClock } from '../../kit/clock.ts';
import { Deadline } from '../../kit/deadline.ts';
import type { HostLook } from './host-look.ts';
import { type Expected, judgeContent, judgeRunning, type Running } from './judge-host.ts';
import type { NodeView } from './node-view.ts';
import { Patience } from './patience.ts';
import { type Problem, problemOf } from './problem.ts';
import type { Site } from './site.ts';
import { exchangeMessages, type MeshMember, missingLinks } from './verify-mesh.ts';

/** A node may need this long to start, dial everybody and be dialled. */
const SETTLE_BUDGET_MS = 60_000;
const POLL_MS = 300;
// To look for a machine that is off takes long each time; where nobody is judged by it, it is then left out.
const PEER_TRIES = 2;

/** A host of the mesh, and how it is judged. */
export interface SettlingSite {
  readonly site: Site;
  readonly judged: /** Everything must be as given, every digest included. */
    | { readonly as: 'expected'; readonly expected: Expected }
    /** It must run and be connected; digests are another matter. */
    | { readonly as: 'running'; readonly running: Running }
    /** Only the other end of connections. */
    | { readonly as: 'peer' };
}

export interface Settled {
  /** Empty when everything is as it should be. */
  readonly problems: readonly Problem[];
  /** Who each answering node is: host → machine id. */
  readonly machineIds: ReadonlyMap<string, string>;
  /** Directed pairs whose message was acknowledged. */
  readonly acknowledged: number;
  /** Directed pairs of judged hosts with all that answer. */
  readonly pairs: number;
  /** Hosts that were only to be the other ends of connections, and did not answer. */
  readonly unanswered: readonly string[];
  readonly afterMs: number;
}

/**
 * Waits until the judged hosts run what they should and are connected with all given ones in both directions, or until
 * waiting is of no use; then compares every digest and sends an acknowledged message over each of those connections.
 */
export async function settle(
  sites: readonly SettlingSite[],
  signal: AbortSignal,
  { budgetMs = SETTLE_BUDGET_MS, clock = realClock }: { budgetMs?: number; clock?: Clock } = {},
): Promise<Settled> {
  const startedMs = clock.nowMs();
  const deadline = Deadline.in(budgetMs, clock);
  const patience = new Patience();
  const unseen = new Map<string, number>();
  const names = new Set(sites.filter(({ judged: { as } }) => as !== 'peer').map(({ site }) => site.name));
  const counts = (from: string, to: string) => names.has(from) || names.has(to);
  for (;;) {
    const asked = sites.filter(
      ({ site, judged }) => judged.as !== 'peer' || (unseen.get(site.name) ?? 0) < PEER_TRIES,
    );
    const looks = await Promise.all(asked.map((settling) => lookOnce(settling, signal)));
    for (const { site, isUnseen } of looks)
      unseen.set(site.name, isUnseen ? (unseen.get(site.name) ?? 0) + 1 : 0);
    const members = await membersOf(looks, signal);
    const problems = [...looks.flatMap((look) => look.problems), ...missingLinks(members, counts)];
    const machineIds = new Map(members.map(({ name, view }) => [name, view.machineId]));
    const answering = [...machineIds.keys()];
    const pairs = answering.flatMap((from) =>
      answering.filter((to) => to !== from && counts(from, to)),
    ).length;
    const isWorthIt = patience.mayMend(problems, clock.nowMs()) && deadline.remainingMs() > POLL_MS;
    if (problems.length > 0 && isWorthIt) {
      await clock.sleep(POLL_MS, signal);
      continue;
    }
    const content = await Promise.all(looks.map((look) => compareContent(look, signal)));
    const bad = new Set(problems.map(({ host }) => host));
    const whole = members.filter(({ name }) => !bad.has(name));
    const exchanged = await exchangeMessages(whole, signal, counts);
    return {
      pairs,
      machineIds,
      unanswered: sites.flatMap(({ site, judged }) =>
        judged.as === 'peer' && !machineIds.has(site.name) ? [site.name] : [],
      ),
      afterMs: clock.nowMs() - startedMs,
      problems: [...problems, ...content.flat(), ...exchanged.problems],
      acknowledged: exchanged.acknowledged,
    };
  }
}

interface SettlingLook extends SettlingSite {
  readonly isUnseen: boolean;
  readonly view: NodeView;
  readonly problems: readonly Problem[];
}

async function lookOnce({ site, judged }: SettlingSite, signal: AbortSignal): Promise<SettlingLook> {
  try {
    const [look, view] = await Promise.all([site.look({ depth: 'quick' }, signal), site.view(signal)]);
    const running = runningOf(judged);
    const problems = running === null ? [] : judgeRunning(running, look, view);
    return { site, judged, isUnseen: false, view, problems };
  } catch (error) {
    signal.throwIfAborted();
    const problems = judged.as === 'peer' ? [] : [problemOf(site.name, error)];
    return { site, judged, isUnseen: true, view: { silent: 'its host could not be looked at' }, problems };
  }
}

function runningOf(judged: SettlingSite['judged']): Running | null {
  if (judged.as === 'peer') return null;
  return judged.as === 'expected' ? judged.expected : judged.running;
}

async function membersOf(
  looks: readonly SettlingLook[],
  signal: AbortSignal,
): Promise<readonly MeshMember[]> {
  const answering = looks.flatMap(({ site, view }) => ('silent' in view ? [] : [{ site, view }]));
  return await Promise.all(
    answering.map(async ({ site, view }) => ({ name: site.name, view, client: await site.client(signal) })),
  );
}

async function compareContent(
  { site, judged, view }: SettlingLook,
  signal: AbortSignal,
): Promise<readonly Problem[]> {
  if (judged.as !== 'expected') return [];
  const { expected } = judged;
  try {
    const look = await site.look({ depth: 'full', wanted: expected.artifact.digest }, signal);
    return judgeContent(expected, look, view);
  } catch (error) {
    signal.throwIfAborted();
    return [problemOf(site.name, error)];
  }
}

/**
 * The problems that a host has of its own: what it lacks towards a host that is itself broken is not its fault. Pure.
 */
export function ownProblems(host: string, problems: readonly Problem[]): readonly Problem[] {
  const broken = new Set(problems.filter(({ peer }) => peer === undefined).map((problem) => problem.host));
  return problems.filter(
    (problem) => problem.host === host && !(problem.peer !== undefined && broken.has(problem.peer)),
  );
}

/** How a host is judged that was not given a new release: it runs `version`, as the machine that it was. */
export function asRunning(
  { target }: Site,
  { machineId }: Pick<HostLook, 'machineId'>,
  version: string | null,
  bootIdBefore: string | null = null,
): SettlingSite['judged'] {
  return { as: 'running', running: { target, machineId, version, bootIdBefore } };
}

/** The others of `sites`, as the other ends of a host's connections. */
export function peersOf(site: Site, sites: readonly Site[]): readonly SettlingSite[] {
  return sites.filter((other) => other !== site).map((other) => ({ site: other, judged: { as: 'peer' } }));
}
