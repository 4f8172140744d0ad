import { codeOf, messageOf } from '../../kit/errors.ts';
import type { EvidenceRecord, RecordOf } from '../../proofs/evidence.ts';
import { isSeen, mapSeen, missing, type Observation } from '../../proofs/observation.ts';
import { type RunningProgram, runningProgram } from './deployed-program.ts';
import type { Host } from './host.ts';
import type { InventoryHost } from './inventory.ts';
import type { MeshHost } from './mesh-host.ts';
import { type HostPreflight, preflight } from './preflight/preflight.ts';

const LOOK_BUDGET_MS = 15_000;
const ASK_BUDGET_MS = 5_000;

interface Reached {
  readonly entry: InventoryHost;
  readonly host: Host;
}

/** What is put on record of the machines before `window`, or before the first one when that is null. */
export async function hostRecords(
  reached: readonly Reached[],
  hosts: readonly MeshHost[],
  window: number | null,
  signal: AbortSignal,
): Promise<readonly EvidenceRecord[]> {
  if (window === null) return await preflightRecords(reached, signal);
  return await Promise.all(
    reached.map(async ({ host }): Promise<RecordOf<'program_seen'>> => {
      const [running, reported] = await Promise.all([
        programOf(host, signal),
        reportedBundle(hosts, host.name, signal),
      ]);
      const program = mapSeen(running, ({ executable, bundleSha256 }) => ({
        executable,
        bundle_sha256: bundleSha256,
        reported_sha256: reported,
      }));
      return { type: 'program_seen', window, node: host.name, program };
    }),
  );
}

async function programOf(host: Host, signal: AbortSignal): Promise<Observation<RunningProgram>> {
  try {
    return await runningProgram(host, { budgetMs: LOOK_BUDGET_MS, signal });
  } catch (error) {
    signal.throwIfAborted();
    return missing('unreadable', `${codeOf(error)}: ${messageOf(error)}`);
  }
}

/** What the node itself says; null when it says nothing. */
async function reportedBundle(
  hosts: readonly MeshHost[],
  name: string,
  signal: AbortSignal,
): Promise<string | null> {
  const node = hosts.find((host) => host.name === name)?.node;
  try {
    return (
      (await node?.document('runtime', { signal, timeoutMs: ASK_BUDGET_MS }))?.body.bundle_sha256 ?? null
    );
  } catch {
    signal.throwIfAborted();
    return null; // a node that says nothing vouches for nothing
  }
}

async function preflightRecords(
  reached: readonly Reached[],
  signal: AbortSignal,
): Promise<readonly EvidenceRecord[]> {
  const byName = new Map(reached.map(({ entry, host }) => [entry.name, host]));
  const open = ({ name }: InventoryHost) => {
    const host = byName.get(name);
    if (host === undefined) throw new Error(`no way to ${name}`);
    return keptOpen(host);
  };
  const seen = await preflight(
    reached.map(({ entry }) => entry),
    open,
    signal,
  );
  return seen.map(recordOf);
}

/** The run goes on over the same connection. */
function keptOpen(host: Host): Host {
  return {
    name: host.name,
    exec: (argv, options) => host.exec(argv, options),
    session: (argv, options) => host.session(argv, options),
    writeFile: (path, content, options) => host.writeFile(path, content, options),
    connect: (port, signal) => host.connect(port, signal),
    close: async () => {},
  };
}

function recordOf({ name, status, checks, facts, clockOffset }: HostPreflight): RecordOf<'host_preflight'> {
  const unreached = missing('unreadable', 'the host was not reached');
  return {
    type: 'host_preflight',
    node: name,
    status,
    clock_offset: isSeen(clockOffset)
      ? {
          seen: {
            offset_ms: clockOffset.seen.offsetMs,
            uncertainty_ms: clockOffset.seen.uncertaintyMs,
          },
        }
      : clockOffset,
    up_secs: facts?.uptimeSecs ?? unreached,
    node_up_secs: facts?.nodeUpSecs ?? unreached,
    checks: checks.map(({ check, status: of, said }) => ({ check, status: of, said })),
  };
}
