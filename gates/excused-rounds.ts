import type { EvidenceRecord, RecordOf, SampleRecord } from '../proofs/evidence.ts';
import type { EvidenceIndex } from './evidence-index.ts';

/**
 * Which scheduled rounds of `node` may have gone unseen, since a scenario kept it from answering: while a fault silenced it,
 * and from a declared restart until its new process was seen, as long as its recovery was not over. What is silent after
 * that counts, in the same scenario too.
 */
export function excusedRounds(index: EvidenceIndex, node: string): (round: SampleRecord) => boolean {
  const declared = index
    .of('restart_declared')
    .filter((one) => one.node === node)
    .map((one) => downFor(index, one));
  return (round) => index.faults.isSilenced(node, round) || declared.some((isDown) => isDown(round));
}

function downFor(
  index: EvidenceIndex,
  declaration: RecordOf<'restart_declared'>,
): (round: SampleRecord) => boolean {
  const { node, window, scenario } = declaration;
  const from = index.position(declaration);
  const firstAfter = (records: readonly (EvidenceRecord & { window: number; scenario: string })[]) =>
    records
      .filter((one) => one.window === window && one.scenario === scenario)
      .map(index.position)
      .find((position) => position > from) ?? Number.POSITIVE_INFINITY;
  // Written when the node serves again, and when its time for that is over.
  const recovered = firstAfter(index.of('node_recovered').filter((one) => one.node === node));
  const underWay = index.scheduled(node).find((round) => index.position(round) > recovered);
  const scenarioEnd = firstAfter(index.of('scenario_finished'));
  const seen = index.restarts(node).find((restart) => restart.declaration === declaration);
  return (round) => {
    const position = index.position(round);
    if (position > recovered && round !== underWay) return false;
    // A restart that was never seen to end lasts no longer than its scenario.
    if (seen === undefined) return position > from && position < scenarioEnd;
    return round.at_mono_ms >= seen.lastSeenMonoMs && round.at_mono_ms <= seen.firstSeenMonoMs;
  };
}
