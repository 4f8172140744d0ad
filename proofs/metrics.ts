import { UsageError } from '../kit/errors.ts';
import { DOCUMENT_NAMES, type DocumentName } from './evidence.ts';
import { isSeen, missing, type Observation, seen } from './observation.ts';

/** The parsed diagnostics of one node at one moment, each seen or missing; a name that is not there was never read. */
export type NodeDocuments = Readonly<Partial<Record<DocumentName, Observation<unknown>>>>;

type Step = { readonly key: string; readonly each: 'no' | 'items' | 'values' };

/** A metric path taken apart: the document that it reads and the steps inside it. */
export interface MetricPath {
  readonly text: string;
  readonly document: DocumentName;
  readonly steps: readonly Step[];
}

const SEGMENT = /^([A-Za-z0-9_-]+)(\[\]|\{\})?$/;
const KINDS = { '[]': 'items', '{}': 'values' } as const;

function isDocumentName(name: string): name is DocumentName {
  return DOCUMENT_NAMES.some((known) => known === name);
}

/**
 * Takes a metric path apart. Grammar: `document.key.key…`, where a key may end in `[]` (every item of a list) or
 * `{}` (every value of an object), and a last `length` counts a list, as in `gossip.pubsub_stages.peer_scores.length`.
 * @throws UsageError `METRIC_PATH` naming the path and the segment that does not fit
 */
export function parseMetricPath(text: string): MetricPath {
  const [document = '', ...rest] = text.split('.');
  const refuse = (why: string) =>
    new UsageError('METRIC_PATH', `metric "${text}": ${why}`, { details: { metric: text, why } });
  if (!isDocumentName(document)) {
    throw refuse(`"${document}" is not a diagnostics document (${DOCUMENT_NAMES.join(', ')})`);
  }
  if (rest.length === 0) throw refuse('names a document but no figure in it');
  const steps = rest.map((segment): Step => {
    const match = SEGMENT.exec(segment);
    if (!match?.[1]) throw refuse(`"${segment}" is not a key, list[] or object{}`);
    return { key: match[1], each: match[2] === '[]' || match[2] === '{}' ? KINDS[match[2]] : 'no' };
  });
  if (steps.at(-1)?.each !== 'no') throw refuse('ends in a list or object; name a key, or "length"');
  return { text, document, steps };
}

function property(at: object, key: string): unknown {
  return Object.hasOwn(at, key) ? Reflect.get(at, key) : undefined;
}

function figure(value: unknown, where: string): Observation<number> {
  if (value === undefined) return missing('absent', `${where} is not there`);
  if (value === null) return missing('absent', `${where} is null`);
  if (typeof value === 'number' && Number.isFinite(value)) return seen(value);
  const form = Array.isArray(value) ? 'a list' : typeof value === 'number' ? String(value) : typeof value;
  return missing('unreadable', `${where} is ${form}, not a finite number`);
}

function lost(kind: 'absent' | 'unreadable', where: string, why: string): Observation<number>[] {
  return [missing(kind, `${where} ${why}`)];
}

/** The figures below `value`, one per list item; a broken branch is one missing figure, never a gap. */
function leavesBelow(value: unknown, steps: readonly Step[], where: string): Observation<number>[] {
  const [step, ...later] = steps;
  if (step === undefined) return [figure(value, where)];
  if (value === undefined || value === null)
    return lost('absent', where, value === null ? 'is null' : 'is not there');
  if (Array.isArray(value)) {
    if (step.key === 'length' && later.length === 0) return [seen(value.length)];
    return lost('unreadable', where, 'is a list, which the path does not expect');
  }
  if (typeof value !== 'object') return lost('unreadable', where, `is ${typeof value}, not an object`);
  const inner = property(value, step.key);
  const path = `${where}.${step.key}`;
  if (step.each === 'no') return leavesBelow(inner, later, path);
  if (inner === undefined || inner === null)
    return lost('absent', path, inner === null ? 'is null' : 'is not there');
  if (step.each === 'items') {
    if (!Array.isArray(inner)) return lost('unreadable', path, 'is not a list');
    if (later.length === 1 && later[0]?.key === 'length') return leavesBelow(inner, later, path);
    return inner.flatMap((item, index) => leavesBelow(item, later, `${path}[${index}]`));
  }
  if (typeof inner !== 'object' || Array.isArray(inner)) return lost('unreadable', path, 'is not an object');
  return Object.entries(inner).flatMap(([key, item]) => leavesBelow(item, later, `${path}{${key}}`));
}

function sumOf(figures: readonly Observation<number>[], where: string): Observation<number> {
  let sum = 0;
  for (const one of figures) {
    if (!isSeen(one)) return one;
    sum += one.seen;
  }
  return figure(sum, where);
}

/**
 * The figure at `path` in the parsed bodies of one node's documents, `{ gossip: {…}, ack: {…} }`. Over lists and
 * objects it is the sum, and one missing item makes the sum missing: a partial sum would read as fewer events than
 * there were. Not there and `null` are absent; anything else that is not a finite number is unreadable. An empty list
 * sums to 0, since it was seen and holds nothing.
 * @throws UsageError `METRIC_PATH` when the path is not one
 */
export function metricAt(bodies: unknown, path: string | MetricPath): Observation<number> {
  const { text, document, steps } = typeof path === 'string' ? parseMetricPath(path) : path;
  const body = typeof bodies === 'object' && bodies !== null ? property(bodies, document) : undefined;
  if (body === undefined) return missing('absent', `no ${document} document was read`);
  return sumOf(leavesBelow(body, steps, document), text);
}

/** As `metricAt`, from documents that may be missing: then that observation is the answer. */
export function observedMetricAt(documents: NodeDocuments, path: string | MetricPath): Observation<number> {
  const parsed = typeof path === 'string' ? parseMetricPath(path) : path;
  const observed = documents[parsed.document];
  if (observed === undefined) return missing('absent', `no ${parsed.document} document was read`);
  return isSeen(observed) ? metricAt({ [parsed.document]: observed.seen }, parsed) : observed;
}
