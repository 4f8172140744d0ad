import { growthBetween } from '../counter-growth.ts';
import {
  DOCUMENT_NAMES,
  type DocumentName,
  type Epoch,
  type EvidenceRecord,
  type SampleRecord,
} from '../evidence.ts';
import { type NodeDocuments, observedMetricAt, parseMetricPath } from '../metrics.ts';
import { isSeen, missing, type Observation, seen } from '../observation.ts';
import type { Proof } from '../read-proof.ts';

/** What one round of telemetry saw of one node. */
export interface NodeView {
  readonly documents: NodeDocuments;
  readonly epochs: ReadonlyMap<DocumentName, Epoch>;
}

/** A stretch of time on one node, from one view of it to another; either may never have been taken. */
export interface NodeSpan {
  readonly pre: NodeView | undefined;
  readonly post: NodeView | undefined;
}

type Around = 'pre' | 'post';
const placeKey = (window: number, scenario: string, node: string, phase: Around) =>
  JSON.stringify([window, scenario, node, phase]);

/** The opening and closing samples of scenarios, found by place: the first `pre`, the last `post`. */
export class SampleIndex {
  readonly #proof: Proof;
  readonly #byPlace = new Map<string, SampleRecord>();

  constructor(proof: Proof) {
    this.#proof = proof;
    for (const sample of proof.records.filter(isScenarioSample)) {
      const key = placeKey(sample.window, sample.scenario, sample.node, sample.phase);
      if (sample.phase === 'post' || !this.#byPlace.has(key)) this.#byPlace.set(key, sample);
    }
  }

  sample(window: number, scenario: string, node: string, phase: Around): SampleRecord | undefined {
    return this.#byPlace.get(placeKey(window, scenario, node, phase));
  }

  view(window: number, scenario: string, node: string, phase: Around): NodeView | undefined {
    const sample = this.sample(window, scenario, node, phase);
    return sample && viewOf(sample, this.#proof);
  }

  span(window: number, scenario: string, node: string): NodeSpan {
    return { pre: this.view(window, scenario, node, 'pre'), post: this.view(window, scenario, node, 'post') };
  }
}

function isScenarioSample(
  record: EvidenceRecord,
): record is SampleRecord & { readonly window: number; readonly scenario: string; readonly phase: Around } {
  return (
    record.type === 'sample' &&
    record.phase !== 'schedule' &&
    record.window !== null &&
    record.scenario !== null
  );
}

function viewOf(sample: SampleRecord, proof: Proof): NodeView {
  const documents: Partial<Record<DocumentName, Observation<unknown>>> = {};
  const epochs = new Map<DocumentName, Epoch>();
  for (const name of DOCUMENT_NAMES) {
    const stored = sample.documents[name];
    if (stored === undefined) continue;
    if (isSeen(stored)) {
      epochs.set(name, stored.seen.epoch);
      documents[name] =
        proof.documents.get(stored.seen.file) ?? missing('unreadable', `${stored.seen.file}: was not loaded`);
    } else {
      documents[name] = stored;
    }
  }
  return { documents, epochs };
}

/** The figure at `path` when the view was taken. */
export function figureIn(view: NodeView | undefined, path: string): Observation<number> {
  return view ? observedMetricAt(view.documents, path) : missing('absent', 'the node was not sampled');
}

/**
 * How far the counter at `path` grew over the span, within one process lifetime. A restart between the two views, or
 * a counter that fell, makes it unreadable: what happened before the reset is not known.
 */
export function growthOver(span: NodeSpan, path: string): Observation<number> {
  const [from, to] = [figureIn(span.pre, path), figureIn(span.post, path)];
  if (!isSeen(from)) return from;
  if (!isSeen(to)) return to;
  const { document } = parseMetricPath(path);
  const [before, after] = [span.pre?.epochs.get(document), span.post?.epochs.get(document)];
  if (before === undefined || after === undefined)
    return missing('unreadable', `${document}: no epoch was recorded`);
  const growth = growthBetween({ epoch: before, value: from.seen }, { epoch: after, value: to.seen });
  if ('grown' in growth) return seen(growth.grown);
  const why = {
    negative: `below 0 (${Math.min(from.seen, to.seen)})`,
    restarted: 'the process restarted in between',
    reset: `fell from ${from.seen} to ${to.seen}`,
  };
  return missing('unreadable', `${path}: ${why[growth.broken]}`);
}
