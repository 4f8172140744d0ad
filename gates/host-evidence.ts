import type { Finding, RecordOf } from '../proofs/evidence.ts';
import { isSeen, missing, seen } from '../proofs/observation.ts';
import { HARMLESS } from '../proofs/safety-schema.ts';
import { listed } from './amounts.ts';
import { worstOf } from './combine.ts';
import type { EvidenceIndex } from './evidence-index.ts';

/** Names under which a verdict speaks of machines reached over a connection; no definition can leave them out. */
const PROGRAM_OBJECTIVE = 'the hosts run the planned programs';
const WAY_OBJECTIVE = 'every host could be watched to the end';

interface Shortfall {
  readonly verdict: 'NO-GO' | 'INCONCLUSIVE';
  readonly why: string;
}

function shortfallOf(
  node: string,
  record: RecordOf<'program_seen'> | undefined,
  planned: string,
  staged: ReadonlySet<string>,
): Shortfall | null {
  const unseen = (why: string): Shortfall => ({
    verdict: 'INCONCLUSIVE',
    why: `${node}: ${why}; a look at its process would decide it`,
  });
  if (record === undefined) return unseen('nobody looked which program it runs');
  if (!isSeen(record.program)) return unseen(record.program.why);
  const { executable, bundle_sha256: found, reported_sha256: reported } = record.program.seen;
  const odd = (why: string): Shortfall => ({ verdict: 'NO-GO', why: `${node} ${why}` });
  if (found === null) return odd(`runs ${executable}, which is no program of this plan`);
  if (found !== planned && !staged.has(found))
    return odd(`runs bundle ${short(found)}, planned is ${short(planned)}`);
  if (reported === null) return unseen('its node does not say which bundle it runs');
  return reported === found
    ? null
    : odd(`says that it runs bundle ${short(reported)}, and runs ${short(found)}`);
}

/** What a scenario gave the node to run in an earlier window. Whether it did is that scenario's own figure. */
function stagedBefore(index: EvidenceIndex, node: string, window: number): ReadonlySet<string> {
  const staged = index.of('upgrade_staged').filter((one) => one.node === node && one.window < window);
  return new Set(staged.map(({ bundle_sha256: sha256 }) => sha256));
}

function judgePrograms(index: EvidenceIndex, window: number): Finding {
  const planned = index.evidence.plan.bundle_sha256;
  const records = index.of('program_seen').filter((record) => record.window === window);
  const shortfalls = index.nodes.flatMap((node) => {
    const record = records.find((one) => one.node === node);
    return shortfallOf(node, record, planned, stagedBefore(index, node, window)) ?? [];
  });
  const base = {
    objective: PROGRAM_OBJECTIVE,
    scope: 'window' as const,
    subject: `window ${window}`,
    window,
    scenario: null,
    limit: { max: 0 },
  };
  if (shortfalls.length === 0) {
    const reason = `window ${window}: all ${index.nodes.length} run bundle ${short(planned)}, or what they were upgraded to`;
    return { ...base, verdict: 'GO', value: seen(0), margin: 0, reason };
  }
  const reason = listed(shortfalls.map(({ why }) => why));
  const verdict = worstOf(shortfalls.map((shortfall) => shortfall.verdict));
  const wrong = shortfalls.filter((shortfall) => shortfall.verdict === 'NO-GO').length;
  const value = verdict === 'NO-GO' ? seen(wrong) : missing('absent', reason);
  return { ...base, verdict, value, margin: verdict === 'NO-GO' ? -wrong : null, reason };
}

/** A way that was lost and never found again: how the processes there ended up was not seen. */
function judgeWays(index: EvidenceIndex): Finding {
  const lost = index.of('control_lost');
  const blind = index.nodes.flatMap((node) => {
    const losses = lost.filter((record) => record.node === node);
    const regained = index.of('control_regained').filter((record) => record.node === node).length;
    const last = losses.at(-1);
    return last !== undefined && losses.length > regained ? [`${node}: ${last.why}`] : [];
  });
  const base = {
    objective: WAY_OBJECTIVE,
    scope: 'soak' as const,
    subject: 'soak',
    window: null,
    scenario: null,
    limit: { max: 0 },
  };
  if (blind.length === 0) {
    const reason = `all ${index.nodes.length} hosts were watched, ${lost.length} times after a lost connection`;
    return { ...base, verdict: 'GO', value: seen(0), margin: 0, reason };
  }
  const reason = listed([
    ...blind,
    'this is the control plane and says nothing about the nodes; a run in which it holds would decide it',
  ]);
  return { ...base, verdict: 'INCONCLUSIVE', value: missing('absent', reason), margin: null, reason };
}

/**
 * What is judged only where nodes run on machines of their own: that every one of them was found to run the planned
 * programs before each window, or those that the run itself upgraded it to, and that it could be watched until the end. Pure.
 */
export function judgeHosts(index: EvidenceIndex): readonly Finding[] {
  if (index.evidence.plan.safety.environment === HARMLESS.environment) return [];
  const started = new Set(index.of('window_started').map(({ window }) => window));
  const windows = index.windows.filter((window) => started.has(window));
  return [...windows.map((window) => judgePrograms(index, window)), judgeWays(index)];
}

function short(digest: string): string {
  return digest.slice(0, 12);
}
