import * as z from 'zod';
import { UsageError } from '../kit/errors.ts';
import { isSeen } from '../proofs/observation.ts';
import { watchMemory } from './memory-watch.ts';
import {
  BURST_MAX_MS,
  BURST_PUBLISH_SLACK_MS,
  type PlannedFleet,
  SETTLE_FLAG,
  scenario,
} from './scenario.ts';

const SCENARIO = 'delayed_reader';

/**
 * One subscriber reads nothing from its node for a while, longer and more than the node keeps for it. The others must not
 * feel it, and what it loses must be counted.
 */
export const delayedReader = scenario({
  name: SCENARIO,
  summary: 'one subscriber stops reading during a burst; the others must not feel it, its losses are counted',
  destructive: null,
  options: z
    .strictObject({
      reader: z.string().min(1).optional().describe('whose subscriber; the last node when left out'),
      delay_secs: z.number().min(0.5).max(600).default(15).describe('for which it reads nothing'),
      messages: z.int().min(1).max(10_000).default(500),
      payload_bytes: z.int().min(128).max(1_048_576).default(65_536),
      delay_ms: z.number().min(0).max(60_000).default(10).describe('between two messages'),
      settle_secs: z.number().positive().default(30),
    })
    .refine(
      ({ messages, delay_ms, delay_secs, settle_secs }) =>
        messages * delay_ms + BURST_PUBLISH_SLACK_MS + (delay_secs + settle_secs) * 1_000 <= BURST_MAX_MS,
      {
        path: ['messages'],
        message: `expected a burst of at most ${BURST_MAX_MS / 1_000} s, delay_secs and settle_secs included`,
      },
    ),
  flags: [
    SETTLE_FLAG,
    {
      flag: 'reader-node',
      option: 'reader',
      describe: 'node whose subscriber stops reading (default: the last)',
      takes: { text: 'node' },
    },
    {
      flag: 'reader-delay-secs',
      option: 'delay_secs',
      describe: 'for how long it reads nothing (default 15)',
      takes: { number: 'any', low: 0.5, high: 600 },
    },
  ],
  plannedFaults(fleet, { reader }) {
    readerOf(fleet, reader); // told now, not in the middle of the run
    return [];
  },
  async run(context, options) {
    const { fleet, mesh, matrix, measure, record, random, window } = context;
    const node = readerOf(fleet, options.reader);
    const delayMs = options.delay_secs * 1_000;
    const why = `its subscriber reads nothing for ${options.delay_secs} s`;
    await record({ type: 'target_declared', window, scenario: SCENARIO, node, why });
    const before = await mesh.inspect(node);
    await using memory = await watchMemory(context);
    const deliveries = await matrix.burst({
      publisher: fleet.anchor,
      topic: `meshproof.delayed.w${window}.${random.int(0, 0x7fff_fffe).toString(16)}`,
      messages: options.messages,
      payloadBytes: options.payload_bytes,
      delayMs: options.delay_ms,
      settleMs: delayMs + options.settle_secs * 1_000,
      delayedReaders: { [node]: delayMs },
    });
    await memory.measure();
    const after = await mesh.inspect(node);

    const own = deliveries.find(({ subscriber }) => subscriber === node);
    if (own === undefined) {
      const unheard = { node, value: null, why: `the subscriber of ${node} said nothing` };
      for (const name of ['read_late_secs', 'lost', 'uncounted_losses']) await measure({ name, ...unheard });
      return;
    }
    const lateMs = own.latency_ms?.max;
    await measure({
      name: 'read_late_secs',
      node,
      ...(lateMs === undefined ? { value: null, why: 'it got nothing at all' } : { value: lateMs / 1_000 }),
    });
    const lost = own.published - own.delivered;
    const told = lost === 0 ? {} : { why: `first missing ${own.missing_seqs.slice(0, 5).join(', ')}` };
    await measure({ name: 'lost', node, value: lost, ...told });
    if (!isSeen(before) || !isSeen(after) || before.seen.epoch.boot_id !== after.seen.epoch.boot_id) {
      const unread = [before, after].find((look) => !isSeen(look));
      const unseen = unread !== undefined && 'why' in unread ? unread.why : `${node} restarted`;
      await measure({ name: 'uncounted_losses', node, value: null, why: unseen });
      return;
    }
    const dropped =
      after.seen.gossip.stats.slow_subscriber_dropped - before.seen.gossip.stats.slow_subscriber_dropped;
    await measure({
      name: 'uncounted_losses',
      node,
      value: Math.max(0, lost - dropped),
      why: `${lost} lost, ${dropped} counted as dropped by ${node}`,
    });
  },
});

/** @throws UsageError for a node that does not fit the fleet */
function readerOf({ anchor, nodes }: PlannedFleet, named: string | undefined): string {
  const reader = named ?? nodes.findLast((node) => node !== anchor);
  const refuse = (why: string) =>
    new UsageError('BAD_FLAG', `--reader-node: ${why}`, { details: { flag: '--reader-node' } });
  if (reader === undefined) throw refuse('expected a fleet of at least two nodes');
  if (!nodes.includes(reader)) throw refuse(`"${reader}" is not one of ${nodes.join(', ')}`);
  if (reader === anchor) throw refuse(`"${reader}" is the anchor, which publishes the burst`);
  return reader;
}
