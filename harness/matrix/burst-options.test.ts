import { describe, expect, it } from 'vitest';
import { publishParamsSchema, subscribeCollectParamsSchema } from '../../runner/action-schema.ts';
import { smallestBurstPayload } from '../../runner/burst-payload.ts';
import { fanoutBurst } from '../../scenarios/fanout-burst.ts';
import { BURST_MAX_MS } from '../../scenarios/scenario.ts';

describe('the options of a burst', () => {
  it('allow no payload that cannot carry the header of the longest topic', () => {
    const smallest = smallestBurstPayload('meshproof.fanout.w10000.7fffffff');
    expect(fanoutBurst.options.safeParse({ payload_bytes: smallest - 1 }).success).toBe(false);
    expect(fanoutBurst.options.safeParse({ payload_bytes: 64 }).success).toBe(false);
    expect(fanoutBurst.options.safeParse({ payload_bytes: 128 }).success).toBe(true);
    expect(smallest).toBeLessThanOrEqual(128);
  });

  it('allow no burst that lasts longer than a runner collects', () => {
    const collect = { topic: 't', burst_id: 'b', expected: 1 };
    expect(subscribeCollectParamsSchema.safeParse({ ...collect, max_ms: BURST_MAX_MS }).success).toBe(true);
    const longest = { messages: 3_510, delay_ms: 1_000, settle_secs: 30 };
    expect(fanoutBurst.options.safeParse(longest).success).toBe(true);
    for (const more of [{ messages: 3_511 }, { delay_ms: 1_001 }, { settle_secs: 31 }]) {
      expect(fanoutBurst.options.safeParse({ ...longest, ...more }).success).toBe(false);
    }
  });

  it('allow nothing that a runner would refuse to publish', () => {
    const burst = { topic: 't', burst_id: 'b', seed: 1 };
    for (const odd of [{ messages: 100_001 }, { payload_bytes: 1_048_577 }, { delay_ms: 60_001 }]) {
      const params = { ...burst, messages: 1, payload_bytes: 128, delay_ms: 0 };
      expect(publishParamsSchema.safeParse({ ...params, ...odd }).success).toBe(false);
      expect(fanoutBurst.options.safeParse(odd).success).toBe(false);
    }
  });
});
