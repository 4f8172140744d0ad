import * as z from 'zod';
import { BURST_MAX_MS, BURST_PUBLISH_SLACK_MS, SETTLE_FLAG, scenario } from './scenario.ts';

/** Every message says whose it is, which one, and whether it is whole: 56 bytes and the name of the burst. */
const PAYLOAD_MIN_BYTES = 128;

/** The anchor publishes a burst on a fresh topic while every node subscribes: delivery is measured per node. */
export const fanoutBurst = scenario({
  name: 'fanout_burst',
  summary: 'a publish burst from the anchor, delivery and latency measured on every node',
  destructive: null,
  options: z
    .strictObject({
      messages: z.int().min(1).max(100_000).default(200),
      payload_bytes: z.int().min(PAYLOAD_MIN_BYTES).max(1_048_576).default(4_096),
      delay_ms: z.number().min(0).max(60_000).default(10),
      settle_secs: z.number().positive().default(30),
    })
    .refine(
      ({ messages, delay_ms, settle_secs }) =>
        messages * delay_ms + BURST_PUBLISH_SLACK_MS + settle_secs * 1_000 <= BURST_MAX_MS,
      {
        path: ['messages'],
        message: `expected a burst of at most ${BURST_MAX_MS / 1_000} s: messages × delay_ms, settle_secs and ${BURST_PUBLISH_SLACK_MS / 1_000} s of slack`,
      },
    ),
  flags: [
    SETTLE_FLAG,
    {
      flag: 'burst-messages',
      option: 'messages',
      describe: 'messages (default 200)',
      takes: { number: 'any', low: 1, high: 100_000 },
    },
    {
      flag: 'burst-payload-bytes',
      option: 'payload_bytes',
      describe: 'payload (default 4096)',
      takes: { number: 'any', low: 1, high: 1_048_576 },
    },
    {
      flag: 'burst-delay-ms',
      option: 'delay_ms',
      describe: 'pace (default 10)',
      takes: { number: 'any', low: 0, high: 60_000 },
    },
  ],
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
