import { z } from 'zod';
import { scenario } from './scenario.ts';

/** The anchor publishes a burst on a fresh topic while every node subscribes: delivery is measured per node. */
export const fanoutBurst = scenario({
  name: 'fanout_burst',
  summary: 'a publish burst from the anchor, delivery and latency measured on every node',
  destructive: null,
  options: z.strictObject({
    messages: z.int().min(1).max(100_000).default(200),
    payload_bytes: z.int().min(64).max(1_048_576).default(4_096),
    delay_ms: z.number().min(0).max(60_000).default(10),
    settle_secs: z.number().positive().default(30),
  }),
  async run({ fleet, matrix, random, window }, { messages, payload_bytes, delay_ms, settle_secs }) {
    await matrix.burst({
      publisher: fleet.anchor,
      topic: `meshproof.fanout.w${window}.${random.int(0, 0x7fff_fffe).toString(16)}`,
      messages,
      payloadBytes: payload_bytes,
      delayMs: delay_ms,
      settleMs: settle_secs * 1_000,
    });
  },
});
