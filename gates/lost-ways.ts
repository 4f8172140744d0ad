import type { EvidenceRecord, PairOutcome, SampleRecord } from '../proofs/evidence.ts';

type SpanMono = NonNullable<PairOutcome['span_mono_ms']>;

/** Where a record was made, and when, if it says so. */
interface Listening {
  readonly window: number;
  readonly scenario: string;
  readonly span_mono_ms?: SpanMono | undefined;
}

/** When the harness could not reach machines. What it did not hear then, it cannot hold against a node. */
export interface LostWays {
  /**
   * Why what `nodes` did at `when` was not watched; null when every way stood. A record that tells no time counts from
   * the first sample of its scenario to the last.
   */
  whyLost(nodes: readonly string[], when: Listening): string | null;
}

interface Loss extends SpanMono {
  readonly node: string;
  readonly why: string;
}

/** Pure, and linear in the number of records. A way that was never found again is lost for ever. */
export function indexLostWays(records: readonly EvidenceRecord[]): LostWays {
  const losses = lossesIn(records);
  if (losses.length === 0) return { whyLost: () => null };
  const samples = Map.groupBy(
    records.filter((record) => record.type === 'sample'),
    ({ window, scenario }) => JSON.stringify([window, scenario]),
  );
  return {
    whyLost(nodes, { window, scenario, span_mono_ms: told }) {
      const { from, until } = told ?? spanOf(samples.get(JSON.stringify([window, scenario])) ?? []);
      const loss = losses.find((one) => nodes.includes(one.node) && one.from <= until && one.until >= from);
      return loss === undefined
        ? null
        : `the way to ${loss.node} was lost, which says nothing about the nodes (${loss.why})`;
    },
  };
}

function lossesIn(records: readonly EvidenceRecord[]): readonly Loss[] {
  const open = new Map<string, Loss>();
  const over: Loss[] = [];
  for (const record of records) {
    if (record.type === 'control_lost' && !open.has(record.node)) {
      const { node, why, since_mono_ms: from } = record;
      open.set(node, { node, why, from, until: Number.POSITIVE_INFINITY });
    }
    if (record.type === 'control_regained') {
      const loss = open.get(record.node);
      if (loss !== undefined) over.push({ ...loss, until: record.at_mono_ms });
      open.delete(record.node);
    }
  }
  return [...over, ...open.values()];
}

/** An end that was not sampled is open: the scenario may have begun earlier, or gone on. */
function spanOf(samples: readonly SampleRecord[]): SpanMono {
  const at = (phase: SampleRecord['phase']) =>
    samples.filter((sample) => sample.phase === phase).map((sample) => sample.at_mono_ms);
  const [pre, post] = [at('pre'), at('post')];
  return {
    from: pre.length > 0 ? Math.min(...pre) : Number.NEGATIVE_INFINITY,
    until: post.length > 0 ? Math.max(...post) : Number.POSITIVE_INFINITY,
  };
}
