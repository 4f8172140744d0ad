import type { PairOutcome } from '../proofs/evidence.ts';
import { missing } from '../proofs/observation.ts';
import type { PlannedPair } from '../proofs/plan-schema.ts';
import { type Amount, count, type Reading, reading, unread } from './amounts.ts';
import type { EvidenceIndex } from './evidence-index.ts';
import { type Cell, type Metric, type Question, spansOf } from './metric.ts';
import type { Span } from './spans.ts';

type Judged = { readonly amount: Amount; readonly defect: string | null } | { readonly unseen: string };

/** Judges one recorded outcome; `unseen` when the outcome does not say. */
type Rule = (outcome: PairOutcome, expectPath: string) => Judged;

const held = (isHeld: boolean): Amount => ({ kind: 'coverage', part: isHeld ? 1 : 0, whole: 1 });

/** The recorded failure without the name of its pair, which the reason already starts with. */
function failureText({ failure, from, to }: PairOutcome, otherwise: string): string {
  if (failure === null) return otherwise;
  const named = [`${from}→${to}: `, `${from} → ${to}: `].find((prefix) => failure.detail.startsWith(prefix));
  return `${failure.detail.slice(named?.length ?? 0)} (${failure.class})`;
}

/** Delivered: the source's send succeeded and the destination runner reported the right payload. */
const delivered: Rule = (outcome) => {
  if (!outcome.sent) return { unseen: failureText(outcome, 'the command never reached the source runner') };
  const lost: readonly (readonly [boolean, string])[] = [
    [outcome.accepted, 'the source node did not take it'],
    [outcome.received, 'the destination runner never reported it with the right payload'],
  ];
  const broken = lost.find(([isFine]) => !isFine);
  return broken === undefined
    ? { amount: held(true), defect: null }
    : { amount: held(false), defect: failureText(outcome, broken[1]) };
};

const unexpectedPath: Rule = ({ path, acked }, expectPath) => {
  if (path === null) return { unseen: 'no receipt names the path' };
  if (path === expectPath && path.endsWith('_acked') && !acked) {
    return { amount: count(1), defect: `path ${path}, yet no acknowledgement` };
  }
  return path === expectPath
    ? { amount: count(0), defect: null }
    : { amount: count(1), defect: `path ${path}, expected ${expectPath}` };
};

const firstAttempt: Rule = ({ attempts, accepted }) => {
  if (attempts === null || attempts === 0) return { unseen: 'the source never reported its attempts' };
  if (!accepted) return { amount: held(false), defect: `failed after ${attempts} attempts` };
  const isFirst = attempts === 1;
  return { amount: held(isFirst), defect: isFirst ? null : `needed ${attempts} attempts` };
};

const unverified: Rule = (outcome) => {
  if (outcome.sender_verified === null) return { unseen: 'the destination never reported the sender' };
  return outcome.sender_verified
    ? { amount: count(0), defect: null }
    : { amount: count(1), defect: failureText(outcome, 'the sender was not the planned one, verified') };
};

const corrupted: Rule = (outcome) => {
  const { received_sha256: got, payload_sha256: sent } = outcome;
  if (got === null) return { unseen: 'nothing arrived whose payload could be compared' };
  const isIntact = got === sent && outcome.failure?.class !== 'corrupted';
  return {
    amount: count(isIntact ? 0 : 1),
    defect: isIntact ? null : failureText(outcome, `payload arrived as ${got.slice(0, 12)}…`),
  };
};

const duplicated: Rule = ({ duplicates, received, received_sha256: got }) => {
  if (!received && got === null) return { unseen: 'nothing arrived, so duplicates could not be counted' };
  return { amount: count(duplicates), defect: duplicates === 0 ? null : `${duplicates} duplicate reports` };
};

function readPair(
  index: EvidenceIndex,
  rule: Rule,
  { window, scenario }: Span,
  pair: PlannedPair,
): Reading[] {
  const [from, to] = pair;
  const name = `${from}→${to}`;
  const decide = `a run in which ${name} is measured would decide it`;
  const outcomes = scenario === null ? [] : index.outcomes(window, scenario, from, to);
  if (outcomes.length === 0) {
    return [unread(missing('absent', `${name}: not measured in window ${window} ${scenario}; ${decide}`))];
  }
  return outcomes.map((outcome) => {
    const lost = index.ways.whyLost(pair, outcome);
    if (lost !== null) return unread(missing('unreadable', `${name}: ${lost}; ${decide}`));
    const judged = rule(outcome, index.evidence.plan.expect_path);
    if ('unseen' in judged) return unread(missing('absent', `${name}: ${judged.unseen}; ${decide}`));
    return reading(judged.amount, judged.defect === null ? null : `${name}: ${judged.defect}`);
  });
}

function cellsOf(rule: Rule, index: EvidenceIndex, { scope, scenarios }: Question): readonly Cell[] {
  const { pairs } = index.evidence.plan;
  const spans = spansOf(index, scenarios);
  const readAll = (some: readonly Span[]) =>
    some.flatMap((span) => pairs.flatMap((pair) => readPair(index, rule, span, pair)));
  const { nodes } = index;
  switch (scope) {
    case 'pair':
      return spans.flatMap((span) =>
        pairs.map((pair) => ({
          subject: `${pair[0]}→${pair[1]}`,
          nodes: pair,
          ...span,
          readings: readPair(index, rule, span, pair),
        })),
      );
    case 'fleet':
      return spans.map((span) => ({ subject: 'fleet', nodes, ...span, readings: readAll([span]) }));
    case 'window':
      return index.windows.map((window) => ({
        subject: `window ${window}`,
        nodes,
        window,
        scenario: null,
        readings: readAll(spans.filter((span) => span.window === window)),
      }));
    case 'soak':
      return [{ subject: 'soak', nodes, window: null, scenario: null, readings: readAll(spans) }];
    case 'node':
      return [];
  }
}

function pairMetric(name: string, measure: 'ratio' | 'count', rule: Rule): Metric {
  return {
    name,
    measure,
    scopes: ['pair', 'fleet', 'window', 'soak'],
    documents: [],
    scenarios: 'named',
    cells: (index, question) => cellsOf(rule, index, question),
  };
}

/** What became of the planned directed pairs. The denominator is the sealed plan, never who showed up. */
export const pairMetrics: readonly Metric[] = [
  pairMetric('pairs.delivered_ratio', 'ratio', delivered),
  pairMetric('pairs.first_attempt_ratio', 'ratio', firstAttempt),
  pairMetric('pairs.unexpected_path', 'count', unexpectedPath),
  pairMetric('pairs.unverified_sender', 'count', unverified),
  pairMetric('pairs.corrupted', 'count', corrupted),
  pairMetric('pairs.duplicates', 'count', duplicated),
];
