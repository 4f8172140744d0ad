import { sha256Hex } from '../../kit/hash.ts';
import { DEPLOYED_PATHS, DEPLOYED_ROLES, DEPLOYED_UNITS, type DeployTarget } from '../fleet/deployed-host.ts';
import type { Artifact } from './artifact.ts';
import { type ArtifactFile, MANIFEST_FILE, PLATFORM_MACHINES } from './artifact-manifest.ts';
import { currentVersion, type HostLook, isActive, isRunning } from './host-look.ts';
import type { Problem, ProblemCode } from './problem.ts';
import type { Release } from './release.ts';

/** One thing to be done on a host, in the order of the plan. */
type Step =
  /** Sends the files that the host does not have, takes the others from `reuseFrom`, and installs the version. */
  | {
      readonly do: 'install_version';
      readonly upload: readonly string[];
      readonly uploadBytes: number;
      readonly reuseFrom: string | null;
    }
  | { readonly do: 'write_release' }
  /** Makes the release the current one, and (re)starts both units. */
  | { readonly do: 'activate' }
  /** Starts what is installed and does not run. */
  | { readonly do: 'start' }
  | { readonly do: 'prune'; readonly releases: readonly string[]; readonly versions: readonly string[] };

export interface HostPlan {
  readonly host: string;
  /** What it comes to: `install` on a bare host, `upgrade` of one that has a release, `start`, or nothing. */
  readonly change: 'install' | 'upgrade' | 'start' | 'none';
  readonly release: Release;
  /** Release that runs now; null on a bare host. */
  readonly from: string | null;
  readonly fromVersion: string | null;
  readonly steps: readonly Step[];
  /** Why the host cannot carry it; then `steps` are not to be taken. */
  readonly refusals: readonly Problem[];
}

interface PlanInput {
  readonly target: DeployTarget;
  readonly look: HostLook;
  readonly artifact: Pick<Artifact, 'digest' | 'manifest' | 'manifestText'>;
  readonly release: Release;
}

const OLDEST_SYSTEMD = 247; // LoadCredential=
const KEPT_RELEASES = 3;
const FIRST_UNPRIVILEGED_PORT = 1_024;
// Configuration, units, journal and state beside the files themselves.
const SPARE_BYTES = 64 * 1024 * 1024;

/** What has to be done on one host so that it runs `release`. Pure: the same facts give the same plan. */
export function planHost({ target, look, artifact, release }: PlanInput): HostPlan {
  const upload = missingFiles(artifact, look);
  const steps: Step[] = [];
  const isWritten = look.releases.some(({ id, version }) => id === release.id && version === release.version);
  const isInPlace = upload.all.length === 0 && isWritten && runsRelease(look, artifact, release);
  if (upload.all.length > 0) {
    steps.push({
      do: 'install_version',
      upload: upload.notThere.map(({ path }) => path),
      uploadBytes: upload.notThere.reduce((sum, { size }) => sum + size, 0),
      reuseFrom: upload.from,
    });
  }
  // Written anew even where it is there by name: somebody may have changed its files.
  if (!isInPlace) steps.push({ do: 'write_release' }, { do: 'activate' });
  else if (!DEPLOYED_ROLES.every((role) => isActive(look, role))) steps.push({ do: 'start' });
  const surplus = surplusOf(look, release);
  if (surplus.releases.length + surplus.versions.length > 0) steps.push({ do: 'prune', ...surplus });
  return {
    host: target.name,
    change: changeOf(steps, look),
    release,
    from: look.currentRelease,
    fromVersion: currentVersion(look),
    steps,
    refusals: refusalsOf(target, look, artifact, upload.all),
  };
}

function changeOf(steps: readonly Step[], look: HostLook): HostPlan['change'] {
  if (steps.some((step) => step.do === 'activate'))
    return look.currentRelease === null ? 'install' : 'upgrade';
  return steps.some((step) => step.do === 'start') ? 'start' : 'none';
}

/** The files of the wanted version that are not whole on the host; of them, those that lie nowhere on it. */
function missingFiles({ digest, manifest, manifestText }: PlanInput['artifact'], look: HostLook) {
  const there = look.files.get(digest) ?? new Map<string, string>();
  const manifestFile: ArtifactFile = {
    path: MANIFEST_FILE,
    sha256: digest,
    size: Buffer.byteLength(manifestText),
    mode: 0o644,
  };
  const all = [manifestFile, ...manifest.files].filter(({ path, sha256 }) => there.get(path) !== sha256);
  // What the wanted version has already is taken along by itself; another version serves for the rest.
  const from = [...look.files.keys()].find((version) => version !== digest) ?? null;
  const spare = from === null ? undefined : look.files.get(from);
  return { all, from, notThere: all.filter(({ path, sha256 }) => spare?.get(path) !== sha256) };
}

function runsRelease(look: HostLook, artifact: PlanInput['artifact'], release: Release): boolean {
  const expected: readonly (readonly [string, string])[] = [
    [`${DEPLOYED_PATHS.config}/node.toml`, sha256Hex(release.nodeToml)],
    [`${DEPLOYED_PATHS.config}/runner.toml`, sha256Hex(release.runnerToml)],
    ...DEPLOYED_ROLES.map(
      (role) => [`${DEPLOYED_PATHS.units}/${DEPLOYED_UNITS[role]}`, unitDigest(artifact, role)] as const,
    ),
  ];
  const runsOld = DEPLOYED_ROLES.some(
    (role) =>
      look.units[role].pid !== null &&
      look.units[role].executable !== `${DEPLOYED_PATHS.versions}/${release.version}/bin/node`,
  );
  return (
    look.currentRelease === release.id &&
    !runsOld &&
    DEPLOYED_ROLES.every((role) => look.units[role].isEnabled) &&
    expected.every(([path, sha256]) => look.digests.get(path) === sha256)
  );
}

/** What the unit file of `role` must be, by the artifact. */
export function unitDigest({ manifest }: Pick<Artifact, 'manifest'>, role: 'node' | 'runner'): string {
  return manifest.files.find(({ path }) => path === `units/${DEPLOYED_UNITS[role]}`)?.sha256 ?? 'none';
}

/** Beyond current, previous and the wanted one, the latest are kept until there are three. */
function surplusOf(look: HostLook, release: Release) {
  const kept = new Set([
    release.id,
    look.currentRelease ?? '',
    ...(look.currentRelease === release.id ? [look.previousRelease ?? ''] : []),
  ]);
  for (const { id } of look.releases.toSorted((a, b) => b.installedAtSecs - a.installedAtSecs))
    if (kept.size < KEPT_RELEASES) kept.add(id);
  const releases = look.releases.filter(({ id }) => !kept.has(id)).map(({ id }) => id);
  const used = new Set([
    release.version,
    ...look.releases.filter(({ id }) => kept.has(id)).map((of) => of.version),
  ]);
  return { releases, versions: look.versions.filter((version) => !used.has(version)) };
}

function refusalsOf(
  target: DeployTarget,
  look: HostLook,
  { manifest }: PlanInput['artifact'],
  missing: readonly ArtifactFile[],
): readonly Problem[] {
  const problems: Problem[] = [];
  const refuse = (code: ProblemCode, message: string) => {
    problems.push({ host: target.name, code, message: `${target.name}: ${message}` });
  };
  const machine = PLATFORM_MACHINES[manifest.platform];
  if (look.system !== 'Linux' || look.machine !== machine)
    refuse('DEPLOY_WRONG_MACHINE', `is ${look.system} ${look.machine}; the artifact is for Linux ${machine}`);
  if (look.systemdVersion === null || look.systemdVersion < OLDEST_SYSTEMD) {
    refuse('DEPLOY_NO_SYSTEMD', `${systemdOf(look)}; expected systemd ${OLDEST_SYSTEMD} or later`);
  }
  if (look.missingTools.length > 0) refuse('DEPLOY_TOOL_MISSING', `lacks ${look.missingTools.join(', ')}`);
  for (const path of look.occupied)
    refuse('DEPLOY_PATH_OCCUPIED', `${path} is there and is not of meshproof; move it away`);
  // Packed and unpacked lie there together for a moment; the packed ones are smaller.
  const needed =
    missing.length === 0 ? 0 : missing.reduce((sum, { size }) => sum + size, 0) * 1.5 + SPARE_BYTES;
  if (look.freeBytes !== null && look.freeBytes < needed) {
    refuse(
      'DEPLOY_DISK_FULL',
      `${megabytes(look.freeBytes)} free on the disk of ${DEPLOYED_PATHS.home}, ${megabytes(needed)} needed`,
    );
  }
  if (target.udpPort < FIRST_UNPRIVILEGED_PORT)
    refuse(
      'DEPLOY_PORT_PRIVILEGED',
      `udp_port ${target.udpPort} is below 1024, which the node's user may not bind`,
    );
  for (const { protocol, port, process, pid } of foreignHolders(look)) {
    const holder = pid === null ? 'something outside of its view' : `${process ?? 'a process'} (pid ${pid})`;
    refuse('DEPLOY_PORT_TAKEN', `${protocol} port ${port} is held by ${holder}`);
  }
  return problems;
}

function systemdOf({ init, systemdVersion }: HostLook): string {
  if (systemdVersion !== null) return `runs systemd ${systemdVersion}`;
  return init === 'systemd' ? 'systemctl cannot be run there' : `its process 1 is ${init}, not systemd`;
}

function foreignHolders(look: HostLook) {
  const ours = new Set<string | null>(Object.values(DEPLOYED_UNITS));
  const pids = new Set([look.units.node.pid, look.units.runner.pid]);
  return look.ports.filter(({ unit, pid }) => !ours.has(unit) && (pid === null || !pids.has(pid)));
}

const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;

/** Whether the fleet carries anything that an interrupted deployment could leave in two versions. */
export function isUpgradeOfRunning(look: HostLook): boolean {
  return look.currentRelease !== null && isRunning(look);
}
