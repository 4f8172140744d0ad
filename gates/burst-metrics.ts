import type { BurstDelivery } from '../proofs/evidence.ts';
import { missing } from '../proofs/observation.ts';
import { type Amount, addAmounts, count, type Reading, reading, unread } from './amounts.ts';
import type { EvidenceIndex } from './evidence-index.ts';
import type { Metric } from './metric.ts';
import { nodeMetric } from './node-metric.ts';
import type { Span } from './spans.ts';

/** Messages that the sealed plan gives one burst; null when its options do not say. */
function plannedMessages(index: EvidenceIndex, scenario: string | null): number | null {
  const planned = index.evidence.plan.scenarios.find((candidate) => candidate.name === scenario);
  const messages = planned?.options.messages;
  return typeof messages === 'number' ? messages : null;
}

/** Why a record cannot be divided by: the plan says otherwise, or it counts more than there was. */
function contradiction(burst: BurstDelivery, plannedByPlan: number | null): string | null {
  if (burst.planned === 0) return 'no message was planned';
  if (plannedByPlan !== null && burst.planned !== plannedByPlan) {
    return `the record plans ${burst.planned} messages, the sealed plan ${plannedByPlan}`;
  }
  return burst.delivered > burst.planned ? `${burst.delivered} of ${burst.planned} delivered` : null;
}

function deliveryNote({ publisher, subscriber, planned, published, delivered, missing_seqs }: BurstDelivery) {
  if (delivered === planned) return null;
  const unpublished = published < planned ? `, only ${published} published` : '';
  const gaps = missing_seqs.length > 0 ? `, first missing ${missing_seqs.slice(0, 5).join(', ')}` : '';
  return `${publisher}⇒${subscriber}: ${delivered} of ${planned} delivered${unpublished}${gaps}`;
}

type Part = (burst: BurstDelivery) => { readonly amount: Amount; readonly note: string | null };

const deliveredPart: Part = (burst) => ({
  amount: { kind: 'coverage', part: burst.delivered, whole: burst.planned },
  note: deliveryNote(burst),
});

function defectPart(field: 'duplicates' | 'corrupted'): Part {
  return (burst) => ({
    amount: count(burst[field]),
    note: burst[field] === 0 ? null : `${burst.publisher}⇒${burst.subscriber}: ${burst[field]} ${field}`,
  });
}

/** Adds up the bursts that `node` should have received: one of each publisher that any subscriber heard of. */
function readBursts(index: EvidenceIndex, node: string, { window, scenario }: Span, part: Part): Reading {
  const all = scenario === null ? [] : index.bursts(window, scenario);
  const own = all.filter((burst) => burst.subscriber === node);
  const place = `window ${window} ${scenario}`;
  const decide = `a delivery report of ${node} would decide it`;
  const heard = new Set(own.map((burst) => burst.publisher));
  const unheard = [...new Set(all.map((burst) => burst.publisher))].find((name) => !heard.has(name));
  if (own.length === 0 || unheard !== undefined) {
    const told = index
      .of('subscriber_missing')
      .find((record) => record.node === node && record.window === window && record.scenario === scenario);
    const why =
      told?.why ?? (unheard === undefined ? 'no delivery report' : `no report of ${unheard}'s burst`);
    return unread(missing('absent', `${node}: deliveries of ${place}: ${why}; ${decide}`));
  }
  const plannedByPlan = plannedMessages(index, scenario);
  let amount: Amount | null = null;
  const notes: string[] = [];
  for (const burst of own) {
    const lost = index.ways.whyLost([burst.publisher, node], burst);
    if (lost !== null)
      return unread(missing('unreadable', `${node}: deliveries of ${place}: ${lost}; ${decide}`));
    const wrong = contradiction(burst, plannedByPlan);
    if (wrong !== null)
      return unread(missing('unreadable', `${node}: deliveries of ${place}: ${wrong}; ${decide}`));
    const judged = part(burst);
    if (judged.note !== null) notes.push(judged.note);
    amount = amount === null ? judged.amount : addAmounts(amount, judged.amount);
  }
  if (amount === null) return unread(missing('absent', `${node}: deliveries of ${place}: none; ${decide}`));
  return reading(amount, notes.length > 0 ? notes.join('; ') : null);
}

function burstMetric(name: string, measure: 'ratio' | 'count', part: Part): Metric {
  return nodeMetric({
    name,
    measure,
    scopes: ['node', 'fleet'],
    documents: [],
    scenarios: 'named',
    read: (index, node, span) => readBursts(index, node, span, part),
  });
}

/** Delivery of bursts, per subscriber. Every node of the roster is a subscriber; planned messages are the denominator. */
export const burstMetrics: readonly Metric[] = [
  burstMetric('burst.delivered_ratio', 'ratio', deliveredPart),
  burstMetric('burst.duplicates', 'count', defectPart('duplicates')),
  burstMetric('burst.corrupted', 'count', defectPart('corrupted')),
];
