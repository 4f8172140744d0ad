import {
  DEPLOYED_PATHS,
  DEPLOYED_ROLES,
  type DeployedRole,
  type DeployTarget,
} from '../fleet/deployed-host.ts';
import type { Host } from '../fleet/host.ts';
import { LOOK } from './look-script.ts';
import { deployError } from './problem.ts';
import { runScript, type StepLimits } from './remote-script.ts';

/** A unit as systemd and the kernel show it. */
export interface UnitLook {
  /** `not-found` where it is not installed. */
  readonly loadState: string;
  readonly activeState: string;
  readonly subState: string;
  /** `success`, or why it ended: `exit-code`, `watchdog`, `oom-kill`… */
  readonly result: string;
  readonly restarts: number;
  readonly isEnabled: boolean;
  /** null when nothing runs. */
  readonly pid: number | null;
  /** What the process runs, from `/proc/PID/exe`; null when nothing runs. */
  readonly executable: string | null;
  readonly executableSha256: string | null;
}

/** A socket that holds a port, and whose it is. */
interface PortHolder {
  readonly protocol: 'udp' | 'tcp';
  readonly port: number;
  /** null when no process was found to hold it. */
  readonly pid: number | null;
  readonly process: string | null;
  readonly unit: string | null;
}

interface ReleaseLook {
  readonly id: string;
  /** Digest of the artifact that it runs. */
  readonly version: string;
  readonly installedAtSecs: number;
}

/** What a host holds of a deployment, as the host itself shows it. */
export interface HostLook {
  /** `uname -s`, `uname -m`. */
  readonly system: string;
  readonly machine: string;
  /** Changes when the host starts again, a container too. */
  readonly bootId: string;
  /** Name of process 1. */
  readonly init: string;
  /** null when process 1 is not systemd, or systemctl cannot be run. */
  readonly systemdVersion: number | null;
  /** Going down, or so far gone that systemd does not answer any more. */
  readonly isShuttingDown: boolean;
  readonly missingTools: readonly string[];
  readonly freeBytes: number | null;
  /** Release ids; null where there is none. */
  readonly currentRelease: string | null;
  readonly previousRelease: string | null;
  /** Paths of ours where something else stands. */
  readonly occupied: readonly string[];
  readonly machineId: string | null;
  readonly releases: readonly ReleaseLook[];
  readonly versions: readonly string[];
  readonly units: Record<DeployedRole, UnitLook>;
  readonly ports: readonly PortHolder[];
  /** Path → SHA-256, of units and configuration; empty in a quick look. */
  readonly digests: ReadonlyMap<string, string>;
  /** Version → path in it → SHA-256; empty in a quick look. */
  readonly files: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** With digests of every file that matters (`wanted`: the version to look into), or without any. */
export type LookDepth =
  | { readonly depth: 'quick' }
  | { readonly depth: 'full'; readonly wanted: string | null };

/** @throws FaultError `DEPLOY_STEP_FAILED`, `DEPLOY_LOOK_UNREADABLE`, and what `Host.exec` throws */
export async function lookAtHost(
  host: Host,
  target: DeployTarget,
  depth: LookDepth,
  limits: StepLimits,
): Promise<HostLook> {
  const wanted = depth.depth === 'full' ? (depth.wanted ?? '-') : '-';
  const ports = [`udp:${target.udpPort}`, `tcp:${target.apiPort}`, `tcp:${target.runnerPort}`];
  return parseLook(host.name, await runScript(host, LOOK, [wanted, depth.depth, ...ports], limits));
}

/**
 * The pure part: the lines that the look script printed.
 * @throws FaultError `DEPLOY_LOOK_UNREADABLE` when they are cut short
 */
export function parseLook(host: string, text: string): HostLook {
  const facts = text.split('\n').map((line) => line.split('\t'));
  if (!facts.some(([kind]) => kind === 'end')) {
    throw deployError('DEPLOY_LOOK_UNREADABLE', host, 'what it told about itself was cut short');
  }
  const all = (kind: string) => facts.filter(([found]) => found === kind).map(([, ...values]) => values);
  const one = (kind: string, at = 0) => all(kind)[0]?.[at] ?? null;
  const links = new Map(all('link').map(([path, to]) => [path, to ?? '']));
  const releaseBehind = (path: string) => links.get(path)?.split('/').at(-1) ?? null;
  const files = new Map<string, Map<string, string>>();
  for (const [version = '', sha256 = '', path = ''] of all('file')) {
    const ofVersion = files.get(version) ?? new Map<string, string>();
    files.set(version, ofVersion.set(path, sha256));
  }
  const configLink = links.get(DEPLOYED_PATHS.config);
  const isForeign = configLink !== undefined && configLink !== `${DEPLOYED_PATHS.current}/etc`;
  const sameAs = all('executable_is').map(([role = '', version = '', path = '']) => [
    role,
    files.get(version)?.get(path) ?? 'unknown',
  ]);
  const digest = [...all('executable_digest'), ...sameAs];
  const unitFacts = { unit: all('unit'), executable: all('executable'), digest };
  return {
    system: one('machine') ?? '',
    machine: one('machine', 1) ?? '',
    bootId: one('boot') ?? '',
    init: one('init') ?? '',
    systemdVersion: one('init') === 'systemd' ? numberIn(one('init', 1)) : null,
    isShuttingDown: !LIVING.includes(one('init', 2) ?? ''),
    missingTools: all('missing_tool').map(([tool]) => tool ?? ''),
    freeBytes: numberIn(one('free_bytes')),
    currentRelease: releaseBehind(DEPLOYED_PATHS.current),
    previousRelease: releaseBehind(DEPLOYED_PATHS.previous),
    occupied: [...all('occupied').map(([path]) => path ?? ''), ...(isForeign ? [DEPLOYED_PATHS.config] : [])],
    machineId: one('identity'),
    releases: all('release').map(([id = '', version = '', at = '0']) => ({
      id,
      version,
      installedAtSecs: Number(at),
    })),
    versions: all('version').map(([version]) => version ?? ''),
    units: { node: unitLook('node', unitFacts), runner: unitLook('runner', unitFacts) },
    ports: all('port').map(portHolder),
    digests: new Map(all('digest').map(([path = '', sha256 = '']) => [path, sha256])),
    files,
  };
}

// What `systemctl is-system-running` says of a machine that is not on its way down.
const LIVING = ['initializing', 'starting', 'running', 'degraded', 'maintenance'];

type Values = readonly (readonly string[])[];

function unitLook(
  role: DeployedRole,
  { unit, executable, digest }: Record<'unit' | 'executable' | 'digest', Values>,
): UnitLook {
  const property = (name: string) => unit.find(([of, key]) => of === role && key === name)?.[2] ?? '';
  const pid = Number(property('MainPID'));
  return {
    loadState: property('LoadState') || 'not-found',
    activeState: property('ActiveState') || 'unknown',
    subState: property('SubState') || 'unknown',
    result: property('Result') || 'unknown',
    restarts: Number(property('NRestarts')),
    isEnabled: property('UnitFileState') === 'enabled',
    pid: pid > 0 ? pid : null,
    executable: executable.find(([of]) => of === role)?.[1] ?? null,
    executableSha256: digest.find(([of]) => of === role)?.[1] ?? null,
  };
}

function portHolder([protocol, port, pid, process, unit]: readonly string[]): PortHolder {
  return {
    protocol: protocol === 'tcp' ? 'tcp' : 'udp',
    port: Number(port),
    pid: pid === undefined ? null : Number(pid),
    process: process || null,
    unit: unit || null,
  };
}

function numberIn(text: string | null): number | null {
  const digits = /\d+/.exec(text ?? '')?.[0];
  return digits === undefined ? null : Number(digits);
}

/** Digest of the artifact that the current release runs; null where none is installed. */
export function currentVersion({ releases, currentRelease }: HostLook): string | null {
  return releases.find(({ id }) => id === currentRelease)?.version ?? null;
}

/** Whether the unit of `role` runs. */
export function isActive(look: HostLook, role: DeployedRole): boolean {
  return look.units[role].activeState === 'active';
}

/** Whether any part of a deployment runs on the host. */
export function isRunning(look: HostLook): boolean {
  return DEPLOYED_ROLES.some((role) => look.units[role].pid !== null);
}
