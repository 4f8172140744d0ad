import { currentVersion, type HostLook } from './host-look.ts';
import { judgeRunning } from './judge-host.ts';
import type { NodeView } from './node-view.ts';
import { type Problem, problemOf } from './problem.ts';
import type { Site } from './site.ts';

/** One host as it is now; nulls where it was not seen. */
export interface HostStatus {
  readonly host: string;
  readonly version: string | null;
  readonly look: HostLook | null;
  readonly view: NodeView;
  readonly problems: readonly Problem[];
}

/** Looks at all hosts at the same time; changes nothing. */
export async function statusOf(sites: readonly Site[], signal: AbortSignal): Promise<readonly HostStatus[]> {
  return await Promise.all(
    sites.map(async (site): Promise<HostStatus> => {
      try {
        const [look, view] = await Promise.all([site.look({ depth: 'quick' }, signal), site.view(signal)]);
        const version = currentVersion(look);
        const running = { target: site.target, machineId: look.machineId, version, bootIdBefore: null };
        return { host: site.name, version, look, view, problems: judgeRunning(running, look, view) };
      } catch (error) {
        signal.throwIfAborted();
        const problems = [problemOf(site.name, error)];
        return { host: site.name, version: null, look: null, view: { silent: 'not reached' }, problems };
      }
    }),
  );
}

/** The document of `status --json`. */
export function statusDocument(statuses: readonly HostStatus[]) {
  return statuses.map(({ host, version, look, view, problems }) => ({
    host,
    version,
    release: look?.currentRelease ?? null,
    previous_release: look?.previousRelease ?? null,
    node: unitDocument(look, 'node'),
    runner: unitDocument(look, 'runner'),
    machine_id: 'silent' in view ? null : view.machineId,
    boot_id: 'silent' in view ? null : view.bootId,
    uptime_secs: 'silent' in view ? null : view.uptimeSecs,
    peers: 'silent' in view ? null : view.peers.length,
    problems: problems.map(({ code, message }) => ({ code, message })),
  }));
}

function unitDocument(look: HostLook | null, role: 'node' | 'runner') {
  const unit = look?.units[role];
  return unit === undefined ? null : { state: unit.activeState, pid: unit.pid, restarts: unit.restarts };
}

/** One line per host for a terminal. */
export function renderStatus(statuses: readonly HostStatus[]): string {
  const rows = statuses.map(({ host, version, look, view }) => [
    host,
    version?.slice(0, 12) ?? '-',
    look?.units.node.activeState ?? '?',
    look?.units.runner.activeState ?? '?',
    'silent' in view ? '-' : String(view.peers.length),
    'silent' in view ? '-' : duration(view.uptimeSecs),
    String((look?.units.node.restarts ?? 0) + (look?.units.runner.restarts ?? 0)),
  ]);
  const table = [['host', 'version', 'node', 'runner', 'peers', 'up', 'restarts'], ...rows];
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const problems = statuses.flatMap((status) =>
    status.problems.map(({ code, message }) => `  ${code}  ${message}`),
  );
  return `${[...lines, ...problems].join('\n')}\n`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}
