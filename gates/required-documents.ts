import type { DocumentName, SampleRecord } from '../proofs/evidence.ts';
import { isSeen } from '../proofs/observation.ts';
import { type EvidenceIndex, openDocument, sampleOrWhy } from './evidence-index.ts';
import type { Cell } from './metric.ts';

/** So many documents are worth a reason each. */
const FEW = 3;

/**
 * Why documents that an objective requires cannot be relied on at `cell`: every one must be seen before and after
 * each scenario that the cell covers, on each of its nodes. Empty when all are there.
 */
export function missingDocuments(
  index: EvidenceIndex,
  cell: Cell,
  scenarios: readonly string[],
  documents: readonly DocumentName[],
): readonly string[] {
  if (documents.length === 0) return [];
  const windows = cell.window === null ? index.windows : [cell.window];
  const within = cell.scenario === null ? scenarios : [cell.scenario];
  const gaps: string[] = [];
  for (const node of cell.nodes) {
    for (const window of windows) {
      for (const scenario of within) {
        for (const phase of ['pre', 'post'] as const) {
          const sample = sampleOrWhy(index, node, window, scenario, phase);
          if (!isSeen(sample)) gaps.push(`${sample.missing}: ${sample.why}`);
          else gaps.push(...gapsIn(index, sample.seen, documents));
        }
      }
    }
  }
  return gaps;
}

/** One for each document; for many that are all missing, one that shows the first. */
function gapsIn(
  index: EvidenceIndex,
  sample: SampleRecord,
  documents: readonly DocumentName[],
): readonly string[] {
  const gaps = documents.flatMap((name) => {
    const opened = openDocument(index, sample, name);
    return isSeen(opened) ? [] : [`${opened.missing}: ${opened.why}`];
  });
  const [first] = gaps;
  if (first === undefined || gaps.length < Math.max(FEW, documents.length)) return gaps;
  return [`${first}, and so with all ${gaps.length} documents`];
}
