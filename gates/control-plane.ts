import type { Finding, RecordOf } from '../proofs/evidence.ts';
import { missing, seen } from '../proofs/observation.ts';
import { listed } from './amounts.ts';
import type { EvidenceIndex } from './evidence-index.ts';

/** Name under which a verdict says whether the harness heard its runners; no definition can leave it out. */
const CONTROL_OBJECTIVE = 'the control plane lost nothing';

type Tally = RecordOf<'control_tally'>;

/** What a person should know of a tally beside what decides, since lost results have a cause. */
function oddities({ node, forged, malformed }: Tally): string[] {
  const told = [
    ...(forged > 0 ? [`${forged} forged`] : []),
    ...(malformed > 0 ? [`${malformed} malformed`] : []),
  ];
  return told.length === 0 ? [] : [`${node}: ${told.join(' and ')} messages`];
}

function judgeTallies(
  at: Pick<Finding, 'scope' | 'subject' | 'window'>,
  tallies: readonly Tally[],
  untallied: readonly string[],
): Finding {
  const limit = { max: 0 };
  const base = { objective: CONTROL_OBJECTIVE, ...at, scenario: null, limit };
  const odd = tallies.flatMap(oddities);
  const restarted = tallies.filter(({ restarts }) => restarts > 0);
  const restarts = restarted.reduce((sum, tally) => sum + tally.restarts, 0);
  const lost = tallies.filter((tally) => tally.lost > 0);
  if (restarts > 0) {
    const reason = listed([...restarted.map(({ node }) => `runner of ${node} restarted`), ...odd]);
    return { ...base, verdict: 'NO-GO', value: seen(restarts), margin: -restarts, reason };
  }
  if (lost.length > 0 || untallied.length > 0) {
    const reason = listed([
      ...lost.map((tally) => `${tally.node}: ${tally.lost} results of its runner never arrived`),
      ...untallied.map((node) => `${node}: its control channel was not tallied`),
      ...odd,
      'a run in which every result arrives would decide it',
    ]);
    return { ...base, verdict: 'INCONCLUSIVE', value: missing('absent', reason), margin: null, reason };
  }
  const reason = listed([`${at.subject}: no result lost, no runner restarted`, ...odd]);
  return { ...base, verdict: 'GO', value: seen(0), margin: 0, reason };
}

/**
 * Whether every result that a runner had reached the harness: one finding per window, and one for what was met outside
 * windows. A lost result is something not seen, so INCONCLUSIVE; a runner that restarted is NO-GO. Every runner must be
 * tallied in every window that began: what is not tallied was not watched.
 */
export function judgeControlPlane(index: EvidenceIndex): readonly Finding[] {
  const all = index.of('control_tally');
  const started = new Set(index.of('window_started').map(({ window }) => window));
  const perWindow = index.windows
    .filter((window) => started.has(window))
    .map((window) => {
      const tallies = all.filter((tally) => tally.window === window);
      const untallied = index.nodes.filter((node) => !tallies.some((tally) => tally.node === node));
      return judgeTallies({ scope: 'window', subject: `window ${window}`, window }, tallies, untallied);
    });
  const outside = all.filter((tally) => tally.window === null);
  if (outside.length === 0) return perWindow;
  return [
    ...perWindow,
    judgeTallies({ scope: 'soak', subject: 'outside windows', window: null }, outside, []),
  ];
}
