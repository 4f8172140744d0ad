import { sha256Hex } from '../../kit/hash.ts';
import type { Artifact } from './artifact.ts';
import { MANIFEST_FILE } from './artifact-manifest.ts';
import { unitDigest } from './deploy-plan.ts';
import { DEPLOYED_PATHS, DEPLOYED_ROLES, DEPLOYED_UNITS, type DeployTarget } from './deployed-host.ts';
import type { HostLook } from './host-look.ts';
import type { NodeView } from './node-view.ts';
import type { Problem, ProblemCode } from './problem.ts';
import type { Release } from './release.ts';

/** What must hold of a host whatever it runs. */
export interface Running {
  readonly target: DeployTarget;
  /** Machine id of earlier deployments; null on the first. */
  readonly machineId: string | null;
  /** The node's boot id before it was restarted; null when it was not, or did not run. */
  readonly bootIdBefore: string | null;
}

/** What a deployed host must be. */
export interface Expected extends Running {
  readonly artifact: Pick<Artifact, 'digest' | 'manifest'>;
  readonly release: Release;
}

type Find = (code: ProblemCode, message: string) => void;

/** What is running, apart from digests: good enough to be asked again and again. Pure. */
export function judgeRunning(
  { target, machineId, bootIdBefore }: Running,
  look: HostLook,
  view: NodeView,
): readonly Problem[] {
  return collect(target.name, (find) => {
    for (const role of DEPLOYED_ROLES) {
      const { activeState, result } = look.units[role];
      const why = result === 'success' || activeState === 'active' ? '' : ` (${result})`;
      if (activeState !== 'active')
        find('UNIT_NOT_ACTIVE', `${DEPLOYED_UNITS[role]} is ${activeState}${why}`);
    }
    judgePorts(target, look, view, find);
    if ('silent' in view) {
      if (look.units.node.activeState === 'active')
        find('NODE_SILENT', `its node does not answer: ${view.silent}`);
      return;
    }
    if (view.status !== 'healthy')
      find('NODE_UNHEALTHY', `its node is ${view.status}: ${view.why ?? 'no reason given'}`);
    if (machineId !== null && view.machineId !== machineId)
      find('IDENTITY_CHANGED', `its node is machine ${view.machineId}, and was ${machineId}`);
    if (bootIdBefore !== null && view.bootId === bootIdBefore)
      find('NOT_RESTARTED', `its node is still the process from before (boot_id ${view.bootId})`);
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
    const home = `${DEPLOYED_PATHS.versions}/${artifact.digest}`;
    const promised = new Map(artifact.manifest.files.map(({ path, sha256 }) => [path, sha256]));
    for (const role of DEPLOYED_ROLES) {
      const { executable, executableSha256, pid } = look.units[role];
      if (pid === null) continue; // told as UNIT_NOT_ACTIVE
      if (executable !== `${home}/bin/node`)
        find(
          'PROGRAM_DIFFERS',
          `its ${role} runs ${executable ?? 'something unknown'}, not ${home}/bin/node`,
        );
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
        `its node runs bundle ${view.bundleSha256 ?? 'unknown'}, not ${artifact.manifest.bundle_sha256}`,
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
    const word =
      'silent' in view ? 'is silent' : `calls itself ${view.status} with ${view.peers.length} peers`;
    find(
      'QUIC_NOT_BOUND',
      `its node (pid ${node.pid}) ${word}, but does not hold UDP port ${udpPort}: ${whose}`,
    );
  }
  if (runner.pid !== null && !holders('tcp', runnerPort).some(({ pid }) => pid === runner.pid))
    find('RUNNER_NOT_LISTENING', `its runner (pid ${runner.pid}) does not listen on TCP port ${runnerPort}`);
}

function collect(host: string, judge: (find: Find) => void): readonly Problem[] {
  const problems: Problem[] = [];
  judge((code, message) => problems.push({ host, code, message: `${host}: ${message}` }));
  return problems;
}
