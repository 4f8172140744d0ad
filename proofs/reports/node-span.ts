import { type BrokenGrowth, type CounterPoint, growthAlong } from '../counter-growth.ts';
import {
  DOCUMENT_NAMES,
  type DocumentName,
  type Epoch,
  type EvidenceRecord,
  type SampleRecord,
} from '../evidence.ts';
import { type NodeDocuments, observedMetricAt, parseMetricPath } from '../metrics.ts';
import { isSeen, mapSeen, missing, type Observation, seen } from '../observation.ts';
import type { Proof } from '../read-proof.ts';
import { type Restart, restartsByNode } from '../restarts.ts';

/** What one round of telemetry saw of one node. */
export interface NodeView {
  /** Harness monotonic clock. */
  readonly atMonoMs: number;
  readonly documents: NodeDocuments;
  readonly epochs: ReadonlyMap<DocumentName, Epoch>;
}

/** A stretch of time on one node, from one view of it to another; either may never have been taken. */
export interface NodeSpan {
  readonly pre: NodeView | undefined;
  readonly post: NodeView | undefined;
  /** Views around scenarios between the two, in time order. */
  readonly between: readonly NodeView[];
  /** Of the node, whenever they were. */
  readonly restarts: readonly Restart[];
}

type Around = 'pre' | 'post';
const placeKey = (window: number, scenario: string, node: string, phase: Around) =>
  JSON.stringify([window, scenario, node, phase]);

/** The opening and closing samples of scenarios, found by place: the first `pre`, the last `post`. */
export class SampleIndex {
  readonly #byPlace = new Map<string, NodeView>();
  readonly #byNode: ReadonlyMap<string, readonly NodeView[]>;
  readonly #restarts: ReadonlyMap<string, readonly Restart[]>;

  constructor(proof: Proof) {
    const samples = proof.records.filter(isScenarioSample);
    const views = new Map(samples.map((sample) => [sample, viewOf(sample, proof)]));
    for (const [{ window, scenario, node, phase }, view] of views) {
      const key = placeKey(window, scenario, node, phase);
      if (phase === 'post' || !this.#byPlace.has(key)) this.#byPlace.set(key, view);
    }
    const grouped = Map.groupBy(views, ([{ node }]) => node);
    const inOrder = (own: readonly (readonly [SampleRecord, NodeView])[]) =>
      own.map(([, view]) => view).toSorted((a, b) => a.atMonoMs - b.atMonoMs);
    this.#byNode = new Map([...grouped].map(([node, own]) => [node, inOrder(own)]));
    this.#restarts = restartsByNode(proof.plan, proof.records);
  }

  view(window: number, scenario: string, node: string, phase: Around): NodeView | undefined {
    return this.#byPlace.get(placeKey(window, scenario, node, phase));
  }

  /** The span of one scenario. */
  span(window: number, scenario: string, node: string): NodeSpan {
    const [pre, post] = (['pre', 'post'] as const).map((phase) => this.view(window, scenario, node, phase));
    return this.spanOf(node, pre, post);
  }

  spanOf(node: string, pre: NodeView | undefined, post: NodeView | undefined): NodeSpan {
    const own = this.#byNode.get(node) ?? [];
    const between =
      pre === undefined || post === undefined
        ? []
        : own.filter(({ atMonoMs }) => atMonoMs > pre.atMonoMs && atMonoMs < post.atMonoMs);
    return { pre, post, between, restarts: this.#restarts.get(node) ?? [] };
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
  return { atMonoMs: sample.at_mono_ms, documents, epochs };
}

/** The figure at `path` when the view was taken. */
export function figureIn(view: NodeView | undefined, path: string): Observation<number> {
  return view ? observedMetricAt(view.documents, path) : missing('absent', 'the node was not sampled');
}

/** How far a counter grew, and how many seconds before declared restarts are lost to it; null without any. */
export interface CounterGrowth {
  readonly grown: number;
  readonly lostSecs: number | null;
}

/**
 * How far the counter at `path` grew over the span, as the judge counts it: from one view to the next. After a restart
 * that a scenario declared it counts from 0; an undeclared one, or a counter that fell, makes it unreadable.
 */
export function growthWithin(span: NodeSpan, path: string): Observation<CounterGrowth> {
  const from = pointIn(span.pre, path);
  if (!isSeen(from)) return from;
  const to = pointIn(span.post, path);
  if (!isSeen(to)) return to;
  const between = span.between.map((view) => pointIn(view, path)).filter(isSeen);
  const later = [...between, to].map((point) => point.seen);
  const growth = growthAlong(from.seen, later, span.restarts);
  if ('broken' in growth) return missing('unreadable', `${path}: ${whyBroken(growth)}`);
  const { grown, restarted } = growth;
  const lostSecs = restarted.reduce((sum, one) => sum + one.lostSecs, 0);
  return seen({ grown, lostSecs: restarted.length === 0 ? null : lostSecs });
}

/** As `growthWithin`, the growth alone. */
export function growthOver(span: NodeSpan, path: string): Observation<number> {
  return mapSeen(growthWithin(span, path), ({ grown }) => grown);
}

function pointIn(view: NodeView | undefined, path: string): Observation<CounterPoint> {
  const figure = figureIn(view, path);
  if (view === undefined || !isSeen(figure)) return isSeen(figure) ? missing('absent', path) : figure;
  const { document } = parseMetricPath(path);
  const epoch = view.epochs.get(document);
  if (epoch === undefined) return missing('unreadable', `${document}: no epoch was recorded`);
  return seen({ atMonoMs: view.atMonoMs, epoch, value: figure.seen });
}

function whyBroken(
  growth: BrokenGrowth & { readonly from: CounterPoint; readonly to: CounterPoint },
): string {
  const { from, to } = growth;
  switch (growth.broken) {
    case 'negative':
      return `below 0 (${Math.min(from.value, to.value)})`;
    case 'reset':
      return `fell from ${from.value} to ${to.value}`;
    case 'restarted':
      return `the process restarted undeclared in between (${growth.why})`;
  }
}
