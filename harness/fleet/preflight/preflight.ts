import pLimit from 'p-limit';
import { codeOf, messageOf } from '../../../kit/errors.ts';
import { missing, type Observation } from '../../../proofs/observation.ts';
import type { ExecOptions, Host } from '../host.ts';
import type { InventoryHost } from '../inventory.ts';
import { type ClockOffset, measureOffset } from './clock-offset.ts';
import { GATHER } from './gather-script.ts';
import { type Check, type CheckStatus, judgeFacts } from './judge-facts.ts';
import { type HostFacts, readGathered } from './read-gathered.ts';

const AT_ONCE = 32;
const GATHER_BUDGET_MS = 30_000;

/** One host before a run: what was seen, and what that means. */
export interface HostPreflight {
  readonly name: string;
  readonly region: string | null;
  /** `user@address:port`. */
  readonly ssh: string;
  readonly status: CheckStatus;
  readonly checks: readonly Check[];
  /** Null when the host could not be reached. */
  readonly facts: HostFacts | null;
  readonly clockOffset: Observation<ClockOffset>;
}

/** Looks at every host, all at once; `open` gives the way to one, and each is closed when it has been seen. */
export async function preflight(
  hosts: readonly InventoryHost[],
  open: (host: InventoryHost) => Host,
  signal: AbortSignal,
): Promise<readonly HostPreflight[]> {
  const limit = pLimit(AT_ONCE);
  return await Promise.all(hosts.map((host) => limit(() => lookAt(host, open(host), signal))));
}

async function lookAt(entry: InventoryHost, host: Host, signal: AbortSignal): Promise<HostPreflight> {
  const { name, region } = entry;
  const ssh = `${entry.ssh.user}@${entry.ssh.address}:${entry.ssh.port}`;
  try {
    const { stdout, sudo } = await gather(host, signal);
    const clockOffset = await measureOffset(host, signal);
    const facts = readGathered(stdout);
    const judged = judgeFacts(entry, facts, clockOffset);
    const checks = [
      { check: 'reach', status: 'ok', said: 'host key and user as expected' } as const,
      ...judged.map((check) => (check.check === 'root' && sudo !== null ? { ...check, said: sudo } : check)),
    ];
    return { name, region, ssh, status: worstOf(checks), checks, facts, clockOffset };
  } catch (error) {
    signal.throwIfAborted();
    const why = messageOf(error).replace(`${name}: `, ''); // it stands beside the name already
    const check: Check = { check: 'reach', status: 'fail', said: `${why} [${codeOf(error)}]` };
    const clockOffset = missing('unreadable', 'the host was not reached');
    return { name, region, ssh, status: 'fail', checks: [check], facts: null, clockOffset };
  } finally {
    await host.close();
  }
}

/** As root where that can be had; else as the user, and why. */
async function gather(host: Host, signal: AbortSignal) {
  const options = { stdin: GATHER, budgetMs: GATHER_BUDGET_MS, signal } satisfies ExecOptions;
  try {
    return { stdout: (await host.exec(['sh', '-s'], { ...options, as: 'root' })).stdout, sudo: null };
  } catch (error) {
    if (codeOf(error) !== 'HOST_SUDO') throw error;
    return { stdout: (await host.exec(['sh', '-s'], options)).stdout, sudo: messageOf(error) };
  }
}

/** How a list of checks ends: as badly as the worst of them. */
export function worstOf(checks: readonly { readonly status: CheckStatus }[]): CheckStatus {
  const statuses = checks.map(({ status }) => status);
  if (statuses.includes('fail')) return 'fail';
  return statuses.includes('warn') ? 'warn' : 'ok';
}
