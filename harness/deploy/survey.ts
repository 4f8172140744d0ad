import type { Artifact } from './artifact.ts';
import { type HostPlan, planHost } from './deploy-plan.ts';
import { currentVersion, type HostLook, isRunning } from './host-look.ts';
import type { NodeView } from './node-view.ts';
import { type Problem, problemOf } from './problem.ts';
import { type Release, renderRelease } from './release.ts';
import type { Site } from './site.ts';

/** A host that was looked at, and what is to be done there. */
export interface Surveyed {
  readonly site: Site;
  readonly look: HostLook;
  readonly view: NodeView;
  readonly plan: HostPlan;
}

/** A host that could not be looked at. */
export interface Unseen {
  readonly site: Site;
  readonly problem: Problem;
}

export interface SurveyOptions {
  /** The hosts to change. */
  readonly sites: readonly Site[];
  /** All hosts of the mesh, those to change among them: they know one another. */
  readonly mesh: readonly Site[];
  readonly artifact: Artifact;
  readonly networkId: string;
  readonly operatorKeys: readonly string[];
}

/** Looks at every host and plans; changes nothing. */
export async function survey(
  options: SurveyOptions,
  signal: AbortSignal,
): Promise<{ readonly surveyed: readonly Surveyed[]; readonly unseen: readonly Unseen[] }> {
  const surveyed: Surveyed[] = [];
  const unseen: Unseen[] = [];
  await Promise.all(
    options.sites.map(async (site) => {
      try {
        surveyed.push(await surveyOne(site, options, signal));
      } catch (error) {
        signal.throwIfAborted();
        unseen.push({ site, problem: problemOf(site.name, error) });
      }
    }),
  );
  const order = new Map(options.sites.map((site, index) => [site, index]));
  const inOrder = (a: { site: Site }, b: { site: Site }) =>
    (order.get(a.site) ?? 0) - (order.get(b.site) ?? 0);
  return { surveyed: surveyed.toSorted(inOrder), unseen: unseen.toSorted(inOrder) };
}

async function surveyOne(site: Site, options: SurveyOptions, signal: AbortSignal): Promise<Surveyed> {
  const { artifact } = options;
  const look = await site.look({ depth: 'full', wanted: artifact.digest }, signal);
  const release = releaseFor(site, options);
  const view = isRunning(look) ? await site.view(signal) : ({ silent: 'nothing runs' } as const);
  return { site, look, view, plan: planHost({ target: site.target, look, artifact, release }) };
}

function releaseFor(site: Site, { mesh, artifact, networkId, operatorKeys }: SurveyOptions): Release {
  const others = mesh.filter((other) => other.name !== site.name).map(({ target }) => target);
  return renderRelease({ target: site.target, others, networkId, operatorKeys, version: artifact.digest });
}

/** Digest of what a host runs; null when nothing does. */
export function runningVersion(look: HostLook): string | null {
  return isRunning(look) ? currentVersion(look) : null;
}
