import pLimit from 'p-limit';
import { codeOf, messageOf } from '../../kit/errors.ts';
import type { Standing } from '../../runner/faults/protocol.ts';
import type { ExecOptions, Host } from '../fleet/host.ts';
import { endOutsiders, standingOutsiders } from '../outsiders/standing-outsiders.ts';
import { askFaultProgram } from './fault-program-once.ts';

const AT_ONCE = 32;
const BUDGET_MS = 60_000; // healing may start units again
/** What the fault program says when something stood after healing. */
const NOT_CLEAN = 'NOT_CLEAN';

/** What was found on one host, of any run and version, and what became of it. */
export interface HostFindings {
  readonly host: string;
  /** `clean`: nothing stood; `healed`; `standing`: it still does; `unknown`: nobody could look. */
  readonly state: 'clean' | 'healed' | 'standing' | 'unknown';
  readonly found: readonly Standing[];
  /** Why it is `standing` after healing, or `unknown`. */
  readonly problem: { readonly code: string; readonly message: string } | null;
}

/** Looks at every host for what faults and outsiders left behind, and heals it where `purpose` says so. Never throws but for `signal`. */
export async function examine(
  hosts: readonly Host[],
  purpose: 'list' | 'heal',
  signal: AbortSignal,
): Promise<readonly HostFindings[]> {
  const limit = pLimit(AT_ONCE);
  return await Promise.all(hosts.map((host) => limit(() => examineOne(host, purpose, signal))));
}

async function examineOne(host: Host, purpose: 'list' | 'heal', signal: AbortSignal): Promise<HostFindings> {
  const { name } = host;
  const limits = { budgetMs: BUDGET_MS, signal };
  let found: readonly Standing[] = [];
  try {
    found = await findOn(host, limits);
    if (found.length === 0) return { host: name, state: 'clean', found, problem: null };
    if (purpose === 'list') return { host: name, state: 'standing', found, problem: null };
    const ends = await Promise.allSettled([
      askFaultProgram(host, 'doctor', { heal: true }, limits), // each throws when something stands even so
      endOutsiders(host, limits),
    ]);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    return { host: name, state: 'healed', found, problem: null };
  } catch (error) {
    signal.throwIfAborted();
    const problem = { code: codeOf(error), message: messageOf(error) };
    return { host: name, state: problem.code === NOT_CLEAN ? 'standing' : 'unknown', found, problem };
  }
}

async function findOn(
  host: Host,
  limits: Pick<ExecOptions, 'budgetMs' | 'signal'>,
): Promise<readonly Standing[]> {
  const [faults, outsiders] = await Promise.all([
    askFaultProgram(host, 'doctor', {}, limits),
    standingOutsiders(host, limits),
  ]);
  const units = outsiders.map(({ unit, runId }) => ({
    run_id: runId,
    lease_id: null,
    what: `outsiders ${unit}`,
    in_force: true,
    matched_packets: null,
  }));
  return [...faults.found, ...units];
}

/** For a terminal: a line per host, and one for each thing that was found there. */
export function renderFindings(findings: readonly HostFindings[]): string {
  const width = Math.max(0, ...findings.map(({ host }) => host.length));
  const lines = findings.flatMap(({ host, state, found, problem }) => [
    `${host.padEnd(width)}  ${state}${problem === null ? '' : `: ${problem.message} [${problem.code}]`}`,
    ...found.map(({ what, run_id, in_force }) => {
      const of = run_id === null ? '' : ` (run ${run_id})`;
      return `${' '.repeat(width)}  - ${what}${of}${in_force ? '' : ', no longer in force'}`;
    }),
  ]);
  return `${lines.join('\n')}\n`;
}
