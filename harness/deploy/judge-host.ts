import { sha256Hex } from '../../kit/hash.ts';
import {
  DEPLOYED_PATHS,
  DEPLOYED_ROLES,
  DEPLOYED_UNITS,
  type DeployedRole,
  type DeployTarget,
} from '../fleet/deployed-host.ts';
import type { Artifact } from './artifact.ts';
import { MANIFEST_FILE } from './artifact-manifest.ts';
import { unitDigest } from './deploy-plan.ts';
import type { HostLook } from './host-look.ts';
import type { NodeClaim, NodeView } from './node-view.ts';
import { LASTING, type Problem, type ProblemCode } from './problem.ts';
import type { Release } from './release.ts';

/** What must hold of a host whatever it runs. */
export interface Running {
  readonly target: DeployTarget;
  /** Machine id of earlier deployments; null on the first. */
  readonly machineId: string | null;
  /** Digest of the artifact whose Node runtime must be what runs; null where that is not known, or looked at by digest. */
  readonly version: string | null;
  /** The node's boot id before it was restarted; null when it was not, or did not run. */
  readonly bootIdBefore: string | null;
}

/** What a deployed host must be. */
export interface Expected extends Running {
  readonly artifact: Pick<Artifact, 'digest' | 'manifest'>;
  readonly release: Release;
}

type Find = (code: ProblemCode, message: string, more?: Pick<Problem, 'lasting'>) => void;

// Between two attempts to start a unit systemd calls it `activating`.
const GIVEN_UP = ['failed', 'inactive'];

/** What is running, apart from digests: good enough to be asked again and again. Pure. */
export function judgeRunning(
  { target, machineId, version, bootIdBefore }: Running,
  look: HostLook,
  view: NodeView,
): readonly Problem[] {
  return collect(target.name, (find) => {
    for (const role of DEPLOYED_ROLES) {
      const { activeState, result } = look.units[role];
      const why = result === 'success' || activeState === 'active' ? '' : ` (${result})`;
      const more = GIVEN_UP.includes(activeState) ? LASTING : {};
      if (activeState !== 'active')
        find('UNIT_NOT_ACTIVE', `${DEPLOYED_UNITS[role]} is ${activeState}${why}`, more);
    }
    judgeExecutables(version, look, find);
    judgePorts(target, look, view, find);
    if ('silent' in view) {
      const how = view.claim === undefined ? 'does not answer' : 'answers only in part';
      if (look.units.node.activeState === 'active') find('NODE_SILENT', `its node ${how}: ${view.silent}`);
      return;
    }
    if (view.status !== 'healthy')
      find('NODE_UNHEALTHY', `its node is ${view.status}: ${view.why ?? 'no reason given'}`);
    if (machineId !== null && view.machineId !== machineId)
      find('IDENTITY_CHANGED', `its node is machine ${view.machineId}, and was ${machineId}`, LASTING);
    if (bootIdBefore !== null && view.bootId === bootIdBefore)
      find('NOT_RESTARTED', `its node is still the process from before (boot_id ${view.bootId})`, LASTING);
    if (view.pid !== look.units.node.pid && look.units.node.pid !== null)
      find(
        'PROGRAM_DIFFERS',
        `process ${view.pid} answers on port ${target.apiPort}, and ${DEPLOYED_UNITS.node} is process ${look.units.node.pid}`,
      );
  });
}

/** Digests of what runs and of what it was started from, against the artifact and the inventory. Pure. */
export function judgeContent(
  { target, artifact, release }: Expected,
  look: HostLook,
  view: NodeView,
): readonly Problem[] {
  return collect(target.name, (find) => {
    const promised = new Map(artifact.manifest.files.map(({ path, sha256 }) => [path, sha256]));
    for (const role of DEPLOYED_ROLES) {
      const { executable, executableSha256, pid } = look.units[role];
      if (pid === null) continue; // told as UNIT_NOT_ACTIVE
      if (executable !== runtimeOf(artifact.digest)) find(...anotherRuntime(role, look, artifact.digest));
      else if (executableSha256 !== promised.get('bin/node'))
        find('PROGRAM_DIFFERS', `the Node runtime of its ${role} is not that of the artifact`);
    }
    const there = look.files.get(artifact.digest);
    const differing = [[MANIFEST_FILE, artifact.digest] as const, ...promised]
      .filter(([path, sha256]) => there?.get(path) !== sha256)
      .map(([path]) => path);
    if (differing.length > 0)
      find(
        'PROGRAM_DIFFERS',
        `${differing.length} files of the artifact are not what they should be: ${differing.slice(0, 3).join(', ')}`,
      );
    if (!('silent' in view) && view.bundleSha256 !== artifact.manifest.bundle_sha256)
      find(
        'PROGRAM_DIFFERS',
        `its node runs bundle ${short(view.bundleSha256 ?? 'unknown')}, not ${short(artifact.manifest.bundle_sha256)}`,
      );
    const digestAt = (path: string) => look.digests.get(path);
    if (digestAt(`${DEPLOYED_PATHS.config}/node.toml`) !== sha256Hex(release.nodeToml))
      find('CONFIG_DIFFERS', `${DEPLOYED_PATHS.config}/node.toml is not what the inventory gives`);
    if (digestAt(`${DEPLOYED_PATHS.config}/runner.toml`) !== sha256Hex(release.runnerToml))
      find('CONFIG_DIFFERS', `${DEPLOYED_PATHS.config}/runner.toml is not what the inventory gives`);
    for (const role of DEPLOYED_ROLES) {
      const path = `${DEPLOYED_PATHS.units}/${DEPLOYED_UNITS[role]}`;
      if (digestAt(path) !== unitDigest(artifact, role))
        find('UNIT_DIFFERS', `${path} is not that of the artifact`);
    }
  });
}

/** Which Node runtime each process is, by `/proc`. */
function judgeExecutables(version: string | null, look: HostLook, find: Find): void {
  for (const role of DEPLOYED_ROLES) {
    const { pid, executable } = look.units[role];
    if (version === null || pid === null || executable === runtimeOf(version)) continue;
    find(...anotherRuntime(role, look, version), LASTING);
  }
}

function anotherRuntime(role: DeployedRole, look: HostLook, version: string) {
  const runs = look.units[role].executable ?? 'something unknown';
  const message = `its ${role} runs ${short(runs)}, not ${short(runtimeOf(version))}`;
  return ['PROGRAM_DIFFERS', message] as const;
}

/** The executable of every process that runs `version`. */
export const runtimeOf = (version: string) => `${DEPLOYED_PATHS.versions}/${version}/bin/node`;

/** Ports by the kernel's own tables: whoever says "joined" without them has not. */
function judgePorts({ udpPort, runnerPort }: DeployTarget, look: HostLook, view: NodeView, find: Find): void {
  const { node, runner } = look.units;
  const holders = (protocol: 'udp' | 'tcp', port: number) =>
    look.ports.filter((holder) => holder.protocol === protocol && holder.port === port);
  if (node.pid !== null && !holders('udp', udpPort).some(({ pid }) => pid === node.pid)) {
    const other = holders('udp', udpPort)[0];
    const whose =
      other === undefined
        ? 'nobody holds it'
        : `${other.process ?? 'something else'} (pid ${other.pid}) does`;
    find(
      'QUIC_NOT_BOUND',
      `its node (pid ${node.pid}) ${wordOf(view)}, but does not hold UDP port ${udpPort}: ${whose}`,
      claimOf(view) === undefined ? {} : LASTING, // a node binds before it serves
    );
  }
  if (runner.pid !== null && !holders('tcp', runnerPort).some(({ pid }) => pid === runner.pid))
    find('RUNNER_NOT_LISTENING', `its runner (pid ${runner.pid}) does not listen on TCP port ${runnerPort}`);
}

/** With digests as short as the report shows them. */
const short = (text: string) => text.replaceAll(/\b([0-9a-f]{12})[0-9a-f]{52}\b/g, '$1');

function claimOf(view: NodeView): NodeClaim | undefined {
  return 'silent' in view ? view.claim : { status: view.status, peers: view.peers.length };
}

function wordOf(view: NodeView): string {
  const claim = claimOf(view);
  if (claim === undefined) return 'is silent';
  return `says that it has joined, ${claim.status} with ${claim.peers} peers`;
}

function collect(host: string, judge: (find: Find) => void): readonly Problem[] {
  const problems: Problem[] = [];
  judge((code, message, more) => problems.push({ host, code, message: `${host}: ${message}`, ...more }));
  return problems;
}
