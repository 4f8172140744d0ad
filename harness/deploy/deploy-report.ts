import type { Problem } from './problem.ts';

/** How it ended on one host. */
export type Outcome =
  | 'unchanged'
  | 'installed'
  | 'upgraded'
  | 'started'
  | 'restarted'
  | 'stopped'
  /** The new release was not as it should be; the one from before is back. */
  | 'rolled_back'
  | 'failed'
  | 'refused'
  | 'unreachable'
  /** Left alone since another host failed first, or the command was asked to end. */
  | 'not_attempted';

export interface HostReport {
  readonly host: string;
  readonly outcome: Outcome;
  /** Digest of the artifact that the host is left with; null when none, or when nobody could look. */
  readonly version: string | null;
  readonly uploadedBytes: number;
  readonly problems: readonly Problem[];
}

export interface DeployReport {
  /** Digest of the artifact that was to be deployed. */
  readonly artifact: string;
  readonly hosts: readonly HostReport[];
  /** Directed pairs whose acknowledged message proved a live connection, of those that there are. */
  readonly acknowledged: number;
  readonly pairs: number;
  /** Hosts of the mesh that the command was not about and that did not answer: no connection with them was looked at. */
  readonly unanswered: readonly string[];
  /** Left to be seen after everything, apart from the hosts' own problems. */
  readonly problems: readonly Problem[];
}

/** The report of a host that was left alone, unseen. */
export function notAttempted({ name }: { readonly name: string }): HostReport {
  return { host: name, outcome: 'not_attempted', version: null, uploadedBytes: 0, problems: [] };
}

/** Whether every host is as asked for and the whole mesh was proven. */
export function isWhole({ hosts, acknowledged, pairs, problems }: DeployReport): boolean {
  const isDone = (host: HostReport) => host.problems.length === 0 && host.outcome !== 'not_attempted';
  return problems.length === 0 && acknowledged === pairs && hosts.every(isDone);
}

/** What is told while it goes on. */
export type DeployEvent =
  | { readonly event: 'step'; readonly host: string; readonly text: string }
  | { readonly event: 'outcome'; readonly host: string; readonly outcome: Outcome };
