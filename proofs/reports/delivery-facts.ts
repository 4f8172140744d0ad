import type { BurstDelivery } from '../evidence.ts';
import type { Proof } from '../read-proof.ts';
import { recordsOf } from './window-facts.ts';

/** What one subscriber got of one publisher's bursts over the whole run. */
export interface DeliveryFacts {
  readonly scenario: string;
  readonly publisher: string;
  readonly subscriber: string;
  readonly bursts: number;
  readonly planned: number;
  readonly published: number;
  readonly delivered: number;
  readonly duplicates: number;
  readonly corrupted: number;
  /** The worst of the bursts; percentiles of different bursts cannot be added up. Null when nothing arrived. */
  readonly worstLatencyMs: BurstDelivery['latency_ms'];
}

/** Deliveries by scenario, publisher and subscriber, in the order in which they were recorded. */
export function deliveryFacts(proof: Proof): readonly DeliveryFacts[] {
  const groups = Map.groupBy(recordsOf(proof, 'burst_delivery'), ({ scenario, publisher, subscriber }) =>
    JSON.stringify([scenario, publisher, subscriber]),
  );
  return [...groups.values()].flatMap((bursts) => {
    const [first] = bursts;
    if (first === undefined) return [];
    const { scenario, publisher, subscriber } = first;
    const sum = (field: 'planned' | 'published' | 'delivered' | 'duplicates' | 'corrupted') =>
      bursts.reduce((total, burst) => total + burst[field], 0);
    const latencies = bursts.flatMap(({ latency_ms }) => latency_ms ?? []);
    const worst = (field: 'p50' | 'p99' | 'max') => Math.max(...latencies.map((latency) => latency[field]));
    return {
      scenario,
      publisher,
      subscriber,
      bursts: bursts.length,
      planned: sum('planned'),
      published: sum('published'),
      delivered: sum('delivered'),
      duplicates: sum('duplicates'),
      corrupted: sum('corrupted'),
      worstLatencyMs:
        latencies.length === 0 ? null : { p50: worst('p50'), p99: worst('p99'), max: worst('max') },
    };
  });
}
