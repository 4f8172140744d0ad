import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeBurstPayload } from './burst-payload.ts';
import { Collection } from './collection.ts';

const TOTAL = 20;

function messageOf(seq: number, burstId = 'b', sentUnixMs = 1_000) {
  const payload = encodeBurstPayload({ burstId, seq, total: TOTAL, sentUnixMs, seed: 1 }, 100);
  return { payload, verified: true };
}

describe('Collection', () => {
  it('accounts for every message that came, in whatever order and however often', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(TOTAL + 4), { maxLength: 80 }), (seqs) => {
        const collection = new Collection('b', TOTAL);
        for (const seq of seqs) collection.take(messageOf(seq), 1_010);
        const { delivered, duplicates, foreign, missing_seqs } = collection.summary();
        const planned = new Set(seqs.filter((seq) => seq < TOTAL));
        expect(delivered).toBe(planned.size);
        expect(delivered + duplicates + foreign).toBe(seqs.length);
        expect(missing_seqs).toEqual(
          Array.from({ length: TOTAL }, (_, at) => at).filter((seq) => !planned.has(seq)),
        );
        expect(collection.isComplete).toBe(planned.size === TOTAL);
      }),
    );
  });

  it('delivers nothing that the node could not verify', () => {
    const collection = new Collection('b', TOTAL);
    collection.take({ ...messageOf(0), verified: false }, 1_010);
    expect(collection.summary()).toMatchObject({ delivered: 0, unverified: 1, latency_ms: null });
  });

  it('gives nearest-rank latencies, negative ones of skewed clocks included', () => {
    const collection = new Collection('b', TOTAL);
    for (let seq = 0; seq < 10; seq += 1) collection.take(messageOf(seq), 995 + seq);
    expect(collection.summary().latency_ms).toEqual({ p50: -1, p99: 4, max: 4 });
  });
});
