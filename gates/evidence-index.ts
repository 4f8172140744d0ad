import type {
  BurstDelivery,
  DocumentName,
  EvidenceRecord,
  PairOutcome,
  RecordOf,
  RecordType,
  SampleRecord,
  StoredDocument,
} from '../proofs/evidence.ts';
import { isSeen, missing, type Observation } from '../proofs/observation.ts';
import type { Plan } from '../proofs/plan-schema.ts';
import { inTimeOrder, type Restart, restartsByNode } from '../proofs/restarts.ts';
import { shortWhy } from '../proofs/telemetry-records.ts';
import { type FaultIndex, indexFaults } from './fault-index.ts';
import { indexLostWays, type LostWays } from './lost-ways.ts';
import { findStaleDocuments } from './stale-documents.ts';

/** What the judge sees: the sealed plan, the records in journal order, and the raw documents by file name. */
export interface Evidence {
  readonly plan: Plan;
  readonly records: readonly EvidenceRecord[];
  /** The parsed documents of the proof; one that is gone, changed or unparsable is missing. */
  readonly documents: ReadonlyMap<string, Observation<unknown>>;
  /** Whether the journal ends in the middle of a record. */
  readonly torn: boolean;
  /** Windows to judge, for a look at one of them while the run goes on; all of the plan when left out. */
  readonly windows?: readonly number[];
}

export type Phase = 'pre' | 'post';

/** The evidence, ordered once so that every metric finds its records by place. */
export interface EvidenceIndex {
  readonly evidence: Evidence;
  readonly nodes: readonly string[];
  readonly windows: readonly number[];
  readonly scenarios: readonly string[];
  of<T extends RecordType>(type: T): readonly RecordOf<T>[];
  /** Where the record stands in the journal; infinity for one that does not. */
  position(record: EvidenceRecord): number;
  /** The sample that opens (`pre`: the earliest) or closes (`post`: the latest) a scenario on a node. */
  sample(node: string, window: number, scenario: string | null, phase: Phase): SampleRecord | undefined;
  /** Opening and closing samples of a node, in time order. */
  boundaries(node: string): readonly SampleRecord[];
  /** Rounds of the schedule on a node, in time order. */
  scheduled(node: string): readonly SampleRecord[];
  restarts(node: string): readonly Restart[];
  /** Why a document of a sample is stale; undefined when it lives. */
  staleness(sample: SampleRecord, name: DocumentName): string | undefined;
  outcomes(window: number, scenario: string, from: string, to: string): readonly PairOutcome[];
  bursts(window: number, scenario: string): readonly BurstDelivery[];
  readonly faults: FaultIndex;
  readonly ways: LostWays;
}

const key = (...parts: readonly (string | number | null)[]) => JSON.stringify(parts);

/** Orders the evidence. Pure, and linear in the number of records but for the sorting of samples. */
export function indexEvidence(evidence: Evidence): EvidenceIndex {
  const { plan, records } = evidence;
  const byType = Map.groupBy(records, (record) => record.type);
  const of = <T extends RecordType>(type: T): readonly RecordOf<T>[] =>
    (byType.get(type) ?? []).filter((record): record is RecordOf<T> => record.type === type);
  const nodes = [...new Set(plan.roster.map((member) => member.name))];
  const scenarios = [...new Set(plan.scenarios.map((scenario) => scenario.name))];
  const windows = evidence.windows ?? Array.from({ length: plan.windows.count }, (_, at) => at + 1);

  const samples = inTimeOrder(of('sample'));
  const byNode = Map.groupBy(samples, (sample) => sample.node);
  const byPlace = Map.groupBy(samples, (s) => key(s.node, s.window, s.scenario, s.phase));
  const boundariesByNode = Map.groupBy(
    samples.filter((sample) => sample.phase !== 'schedule'),
    (sample) => sample.node,
  );
  const scheduledByNode = Map.groupBy(
    samples.filter((sample) => sample.phase === 'schedule'),
    (sample) => sample.node,
  );
  const stale = new Map([...byNode.values()].flatMap((all) => [...findStaleDocuments(all)]));
  // Labelled ones are a scenario's own questions, not the matrix.
  const phaseA = of('pair_outcome').filter(({ label }) => label === undefined);
  const outcomes = Map.groupBy(phaseA, (o) => key(o.window, o.scenario, o.from, o.to));
  const bursts = Map.groupBy(of('burst_delivery'), (burst) => key(burst.window, burst.scenario));
  const restarts = restartsByNode(plan, records);
  const positions = new Map(records.map((record, position) => [record, position]));
  const position = (record: EvidenceRecord) => positions.get(record) ?? Number.POSITIVE_INFINITY;

  return {
    evidence,
    nodes,
    windows,
    scenarios,
    of,
    position,
    sample: (node, window, scenario, phase) =>
      byPlace.get(key(node, window, scenario, phase))?.at(phase === 'pre' ? 0 : -1),
    boundaries: (node) => boundariesByNode.get(node) ?? [],
    scheduled: (node) => scheduledByNode.get(node) ?? [],
    staleness: (sample, name) => stale.get(sample)?.get(name),
    restarts: (node) => restarts.get(node) ?? [],
    outcomes: (window, scenario, from, to) => outcomes.get(key(window, scenario, from, to)) ?? [],
    bursts: (window, scenario) => bursts.get(key(window, scenario)) ?? [],
    faults: indexFaults(records, position),
    ways: indexLostWays(records),
  };
}

/** "b: gossip of window 2 baseline post", for reasons. */
export function placeText(
  node: string,
  name: string,
  window: number | null,
  scenario: string | null,
  phase: string,
): string {
  const where = [window === null ? 'no window' : `window ${window}`, scenario, phase]
    .filter(Boolean)
    .join(' ');
  return `${node}: ${name} of ${where}`;
}

/** A document of a sample together with the file entry that carries its epoch. */
export interface OpenDocument {
  readonly stored: StoredDocument;
  readonly content: unknown;
}

/** How the epoch in a document differs from the one that its record gives; null when it does not, or has none. */
function epochDifference({ epoch }: StoredDocument, content: object): string | null {
  const field = (['boot_id', 'uptime_secs'] as const).find(
    (key) => Object.hasOwn(content, key) && Reflect.get(content, key) !== epoch[key],
  );
  if (field === undefined) return null;
  return `its ${field} is ${JSON.stringify(Reflect.get(content, field))}, its record says ${JSON.stringify(epoch[field])}`;
}

/** The document `name` of `sample`: missing when the sample, the observation, or the file behind it is. */
export function openDocument(
  index: EvidenceIndex,
  sample: SampleRecord,
  name: DocumentName,
): Observation<OpenDocument> {
  const at = placeText(sample.node, name, sample.window, sample.scenario, sample.phase);
  const decide = `a readable ${name} document of ${sample.node} would decide it`;
  const observed = sample.documents[name];
  if (observed === undefined) return missing('absent', `${at} was not recorded; ${decide}`);
  if (!isSeen(observed)) {
    const why = shortWhy(name, sample.node, observed.why);
    return missing(observed.missing, `${at}: ${why}; ${decide}`);
  }
  const stale = index.staleness(sample, name);
  if (stale !== undefined) return missing('stale', `${at}: ${stale}; ${decide}`);
  const file = index.evidence.documents.get(observed.seen.file);
  if (file === undefined) {
    return missing('unreadable', `${at}: ${observed.seen.file} is not in the proof; ${decide}`);
  }
  if (!isSeen(file)) {
    const { file: path } = observed.seen;
    const why = file.why.includes(path) ? file.why : `${path}: ${file.why}`;
    return missing(file.missing, `${at}: ${why}; ${decide}`);
  }
  if (typeof file.seen !== 'object' || file.seen === null) {
    return missing('unreadable', `${at}: ${observed.seen.file} is not a JSON object; ${decide}`);
  }
  const differs = epochDifference(observed.seen, file.seen);
  if (differs !== null) return missing('unreadable', `${at}: ${differs}; ${decide}`);
  return { seen: { stored: observed.seen, content: file.seen } };
}

/** The closing (or opening) sample, or why there is none. */
export function sampleOrWhy(
  index: EvidenceIndex,
  node: string,
  window: number,
  scenario: string | null,
  phase: Phase,
): Observation<SampleRecord> {
  const sample = index.sample(node, window, scenario, phase);
  if (sample !== undefined) return { seen: sample };
  const at = placeText(node, 'diagnostics', window, scenario, phase);
  return missing('absent', `${at} were never sampled; a ${phase} sample of ${node} would decide it`);
}
