import * as z from 'zod';
import { isSeen } from '../proofs/observation.ts';
import { deliveredRatio, pairsAmong, SEND_SETTLE_MS } from './delivery.ts';
import { changedLinks, type Looks, lookAtAll, sameProcess } from './looks.ts';
import { BURST_MAX_MS, BURST_PUBLISH_SLACK_MS, scenario } from './scenario.ts';

const SCENARIO = 'idle_rot';
const MESSAGE_BYTES = 1_024;

/** Leaves the mesh alone for longer than its idle timers, then asks everything of it at once. */
export const idleRot = scenario({
  name: SCENARIO,
  summary: 'silence longer than the idle timers, then every pair and a burst at once; all must be delivered',
  destructive: null,
  options: z
    .strictObject({
      idle_secs: z.number().min(1).max(3_000).default(120).describe('of silence'),
      messages: z.int().min(1).max(10_000).default(200).describe('in the burst after it'),
      delay_ms: z.number().min(0).max(60_000).default(0).describe('between two of them'),
      settle_secs: z.number().positive().max(86_400).default(30),
    })
    .refine(
      ({ messages, delay_ms, settle_secs }) =>
        messages * delay_ms + BURST_PUBLISH_SLACK_MS + settle_secs * 1_000 <= BURST_MAX_MS,
      { path: ['messages'], message: 'expected a burst of less than an hour, settle_secs included' },
    ),
  flags: [
    {
      flag: 'idle-secs',
      option: 'idle_secs',
      describe: 'how long the mesh is left alone (default 120)',
      takes: { number: 'any', low: 1, high: 3_000 },
    },
  ],
  async run(context, options) {
    const { fleet, matrix, measure, clock, signal, random, window } = context;
    const before = await lookAtAll(context);
    await clock.sleep(options.idle_secs * 1_000, signal);
    const after = await lookAtAll(context);
    // The matrix and the burst meet the links as the silence left them, so neither waits for the other.
    const burst = matrix.burst({
      publisher: fleet.anchor,
      topic: `meshproof.idle.w${window}.${random.int(0, 0x7fff_fffe).toString(16)}`,
      messages: options.messages,
      payloadBytes: MESSAGE_BYTES,
      delayMs: options.delay_ms,
      settleMs: options.settle_secs * 1_000,
    });
    burst.catch(() => {}); // awaited below
    const outcomes = await matrix.send(pairsAmong(fleet.nodes), {
      settleMs: SEND_SETTLE_MS,
      label: 'after the silence',
    });
    await burst;
    await measure({ name: 'delivered_ratio', ...deliveredRatio(outcomes) });
    const atOnce = outcomes.filter(({ received, attempts }) => received && attempts === 1).length;
    await measure({
      name: 'first_attempt_ratio',
      ...(outcomes.length === 0
        ? { value: null, why: 'no message was sent' }
        : { value: atOnce / outcomes.length }),
    });
    for (const node of fleet.nodes) {
      for (const figure of silenceOf(node, before, after)) await measure({ ...figure, node });
    }
  },
});

/** What one node said in the silence, and what became of its links. */
function silenceOf(node: string, before: Looks, after: Looks) {
  const both = sameProcess(node, before, after);
  if (!isSeen(both)) {
    return ['published_in_silence', 'links_changed'].map((name) => ({ name, value: null, why: both.why }));
  }
  const { was, is } = both.seen;
  const changed = changedLinks(both.seen);
  const told = changed.map((peer) => peer.slice(0, 8)).join(', ');
  return [
    {
      name: 'published_in_silence',
      value: is.gossip.stats.publish_total - was.gossip.stats.publish_total,
    },
    {
      name: 'links_changed',
      value: changed.length,
      ...(changed.length > 0 && { why: `${node} has another link to ${told}, or none` }),
    },
  ];
}
