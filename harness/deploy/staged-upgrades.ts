import pLimit from 'p-limit';
import { FaultError } from '../../kit/errors.ts';
import { thirdOf } from '../../scenarios/faults.ts';
import { DEPLOYED_PATHS, DEPLOYED_ROLES, type DeployedRole } from '../fleet/deployed-host.ts';
import type { Host } from '../fleet/host.ts';
import { LeftChangedError } from '../fleet/left-changed-error.ts';
import type { UndoableUpgrades } from '../fleet/ssh-mesh.ts';
import { control, forgetRelease, makeCurrent, prune, writeRelease } from './activate.ts';
import { DeployLocks, lockHost } from './deploy-lock.ts';
import type { FleetSites } from './fleet-sites.ts';
import type { HostLook } from './host-look.ts';
import { installVersion } from './install-version.ts';
import { runtimeOf } from './judge-host.ts';
import { type OtherVersion, OtherVersions, readOnHost } from './other-version.ts';
import { deployError, type Problem, problemOf } from './problem.ts';
import { type Release, releaseOf } from './release.ts';
import { asRunning, type SettlingSite, settle } from './settle.ts';
import type { Site } from './site.ts';

/** Restarts of the whole fleet at once would be an outage; faults keep to the same share. */
const atOnceOf = (sites: readonly Site[]) => Math.min(6, thirdOf(sites));

interface UpgradeModules {
  /** Opens a way to the hosts beside that of the run: no upload stands in the way of its looks and its faults. */
  readonly openSites: () => FleetSites;
  readonly settle?: typeof settle;
}

/** The release that a host had before the run, and the one that was made for it. */
interface StagedHost {
  readonly origin: Pick<Release, 'id' | 'version'> & { readonly previous: string | null };
  readonly otherRelease: Release;
  readonly other: OtherVersion;
}

/**
 * Upgrades of deployed hosts: each gets a second release, which differs from its own in the programs alone, and `current`
 * leads from one to the other. A host is remembered before anything is changed there, until it is put back.
 */
export class StagedUpgrades implements UndoableUpgrades, AsyncDisposable {
  readonly #openSites: UpgradeModules['openSites'];
  readonly #settle: typeof settle;
  readonly #others: OtherVersions;
  readonly #staged = new Map<string, StagedHost>(); // one per host
  readonly #turn = pLimit(1); // the run may end while a host is being staged
  readonly #signal = new AbortController().signal; // what is begun on a host goes on to its end, or to its deadline
  #isOver = false;

  /** @param upgradeBundle directory of the other programs; without it, the same under another version */
  constructor(upgradeBundle: string | undefined, modules: UpgradeModules) {
    this.#openSites = modules.openSites;
    this.#settle = modules.settle ?? settle;
    this.#others = new OtherVersions(upgradeBundle);
  }

  /**
   * From its next start on, `node` runs the other one of the two releases.
   * @throws FaultError `DEPLOY_LOCKED`, `HOST_CHANGED`, `NOT_DEPLOYED`, and what the steps of a deployment throw
   */
  stage(node: string): Promise<{ readonly bundleSha256: string }> {
    return this.#turn(() => this.#stage(node));
  }

  /**
   * Brings every host back to the release that it had, restarts what does not run it, removes the other one, and verifies
   * the mesh. Nothing is staged any more. Takes no signal: it must happen although the run was told to end.
   * @throws LeftChangedError naming every host where that failed
   */
  putBack(): Promise<void> {
    this.#isOver = true;
    return this.#turn(() => this.#putBackAll());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#others[Symbol.asyncDispose]();
  }

  async #stage(node: string): Promise<{ readonly bundleSha256: string }> {
    const signal = this.#signal;
    if (this.#isOver) throw new FaultError('UPGRADE_UNAVAILABLE', 'the run is over');
    await using sites = this.#openSites();
    const site = sites.mesh.find(({ name }) => name === node);
    if (site === undefined) throw new Error(`${node} is not part of this mesh`);
    const { host } = site;
    await using locks = new DeployLocks();
    await locks.hold(host, signal);
    const look = await site.look({ depth: 'quick' }, signal);
    const staged = this.#staged.get(node) ?? (await this.#plan(host, look));
    const { origin, otherRelease, other } = staged;
    const goesBack = whichOf(staged, site, look) === 'other';
    this.#staged.set(node, staged);
    if (!goesBack) {
      const { parts, upload } = other;
      await installVersion(host, parts, { upload, reuseFrom: origin.version }, signal);
      await writeRelease(host, otherRelease, signal);
    }
    // An upload may take long, and the connection, with its lock, have been lost meanwhile.
    if ((await locks.hold(host, signal)) === 'taken')
      whichOf(staged, site, await site.look({ depth: 'quick' }, signal));
    await makeCurrent(host, goesBack ? origin.id : otherRelease.id, signal);
    return { bundleSha256: goesBack ? other.bundles.deployed : other.bundles.other };
  }

  /** Looks, and changes nothing. */
  async #plan(host: Host, look: HostLook): Promise<StagedHost> {
    const current = look.releases.find(({ id }) => id === look.currentRelease);
    if (current === undefined)
      throw deployError(
        'NOT_DEPLOYED',
        host.name,
        'no release is current there; "meshproof deploy" makes one',
      );
    const { id, version } = current;
    const other = await this.#others.of(host, version, this.#signal);
    const configOf = (role: DeployedRole) =>
      readOnHost(host, `${DEPLOYED_PATHS.releases}/${id}/etc/${role}.toml`, this.#signal);
    const [nodeToml, runnerToml] = await Promise.all([configOf('node'), configOf('runner')]);
    const otherRelease = releaseOf({ version: other.parts.artifact.digest, nodeToml, runnerToml });
    return { origin: { id, version, previous: look.previousRelease }, otherRelease, other };
  }

  async #putBackAll(): Promise<void> {
    const signal = this.#signal;
    if (this.#staged.size === 0) return;
    await using sites = this.#openSites();
    const limit = pLimit(atOnceOf(sites.mesh));
    const problems: Problem[] = [];
    const settling = await Promise.all(
      sites.mesh.map((site) =>
        limit(async (): Promise<SettlingSite> => {
          const staged = this.#staged.get(site.name);
          if (staged === undefined) return { site, judged: { as: 'peer' } };
          try {
            const look = await putBackOne(site, staged, signal);
            return { site, judged: asRunning(site, look, staged.origin.version) };
          } catch (error) {
            problems.push(problemOf(site.name, error));
            return { site, judged: { as: 'peer' } };
          }
        }),
      ),
    );
    if (settling.some(({ judged }) => judged.as !== 'peer'))
      problems.push(...(await this.#settle(settling, signal)).problems);
    this.#staged.clear();
    if (problems.length === 0) return;
    const hosts = new Set(problems.map(({ host }) => host));
    throw new LeftChangedError(
      [...hosts],
      problems.map(({ code, message }) => `${code}: ${message}`),
    );
  }
}

async function putBackOne(site: Site, staged: StagedHost, signal: AbortSignal): Promise<HostLook> {
  const { origin, otherRelease } = staged;
  const { host } = site;
  await using _lock = await lockHost(host, signal);
  whichOf(staged, site, await site.look({ depth: 'quick' }, signal));
  // Even where it is current: a step of ours whose connection was lost may yet be on its way, and this one waits for it.
  await makeCurrent(host, origin.id, signal);
  const look = await site.look({ depth: 'quick' }, signal);
  if (!DEPLOYED_ROLES.every((role) => look.units[role].executable === runtimeOf(origin.version)))
    await control(host, 'restart', signal);
  await forgetRelease(host, otherRelease.id, origin.previous, signal);
  const isUsed = look.releases.some(
    ({ id, version }) => id !== otherRelease.id && version === otherRelease.version,
  );
  await prune(host, { releases: [], versions: isUsed ? [] : [otherRelease.version] }, signal);
  return look;
}

/** Which of its two releases is current; somebody who made a third one current knows better than a run. */
function whichOf(
  { origin, otherRelease }: Pick<StagedHost, 'origin' | 'otherRelease'>,
  { name }: Site,
  { currentRelease }: HostLook,
): 'origin' | 'other' {
  if (currentRelease === origin.id) return 'origin';
  if (currentRelease === otherRelease.id) return 'other';
  throw deployError(
    'HOST_CHANGED',
    name,
    `another release was made current during the run: ${currentRelease?.slice(0, 12) ?? 'none'}`,
  );
}
