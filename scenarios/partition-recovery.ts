import * as z from 'zod';
import { UsageError } from '../kit/errors.ts';
import { deliveredRatio, pairsAmong, SEND_SETTLE_MS } from './delivery.ts';
import { edgesBetween } from './faults.ts';
import { followHealing, type Sides, viewAcross } from './partition-healing.ts';
import { BURST_MAX_MS, type PlannedFleet, type ScenarioContext, scenario } from './scenario.ts';

const SCENARIO = 'partition_recovery';
/** Written late in the cut, since a node keeps a message for 60 s and must still have it at the heal. */
const WRITE_AT_SHARE = 0.6;
const MESSAGE_BYTES = 1_024;
const MESSAGE_EVERY_MS = 50;

const names = z.array(z.string().min(1));

/** Cuts the links between two sides, writes on both, heals, and times how the mesh finds together again. */
export const partitionRecovery = scenario({
  name: SCENARIO,
  summary: 'links between two nodes or two sides cut and healed; links, gossip and logs must recover',
  destructive: 'partition',
  options: z
    .strictObject({
      pair: names.length(2).optional().describe('cuts the link between two nodes'),
      side: names.min(1).optional().describe('cuts these nodes off from all others'),
      block_secs: z.number().min(5).max(3_600).default(60),
      heal_secs: z.number().min(5).max(3_600).default(90),
      messages: z
        .int()
        .min(1)
        .max(10_000)
        .default(20)
        .describe('published and logged on each side during the cut'),
    })
    .refine(({ pair, side }) => pair === undefined || side === undefined, {
      path: ['side'],
      message: 'expected either pair or side, not both',
    })
    .refine(({ block_secs, heal_secs }) => (block_secs + heal_secs) * 1_000 <= BURST_MAX_MS / 2, {
      path: ['heal_secs'],
      message: `expected block_secs and heal_secs of ${BURST_MAX_MS / 2_000} s at most together`,
    }),
  flags: [
    {
      flag: 'partition-pair',
      option: 'pair',
      describe: 'two nodes whose link is cut, separated by a comma',
      takes: { text: 'nodes' },
    },
    {
      flag: 'partition-side',
      option: 'side',
      describe: 'nodes that are cut off from all others, separated by commas',
      takes: { text: 'nodes' },
    },
    {
      flag: 'block-secs',
      option: 'block_secs',
      describe: 'how long the links are cut (default 60)',
      takes: { number: 'any', low: 5, high: 3_600 },
    },
    {
      flag: 'heal-secs',
      option: 'heal_secs',
      describe: 'time to recover after that (default 90)',
      takes: { number: 'any', low: 5, high: 3_600 },
    },
  ],
  plannedFaults(fleet, options) {
    const { left, right } = sidesOf(fleet, options);
    return [{ kind: 'cut', edges: edgesBetween(left, right) }];
  },
  async run(context, options) {
    const { faults, clock, matrix, measure, signal } = context;
    const sides = sidesOf(context.fleet, options);
    const edges = edgesBetween(sides.left, sides.right);
    const topics = topicsOf(context);

    const before = await matrix.send(edges, { settleMs: SEND_SETTLE_MS, label: 'before the cut' });
    await measure({ name: 'delivered_before_ratio', ...deliveredRatio(before) });
    await viewAcross(context, sides, 'start');

    await using cut = await faults.cut({ edges });
    const cutMs = clock.nowMs();
    const blockMs = options.block_secs * 1_000;
    const blocked = matrix.send(edges, { settleMs: SEND_SETTLE_MS, label: 'during the cut' });
    blocked.catch(() => {}); // awaited below
    await clock.sleep(blockMs * WRITE_AT_SHARE, signal);
    const written = await writeOnBothSides(context, sides, options.messages, topics.log);
    // Subscribers stand before the heal; who was cut off gets the rest from whoever kept it.
    const bursts = publishOnBothSides(context, sides, topics, {
      messages: options.messages,
      settleMs: (options.block_secs * (1 - WRITE_AT_SHARE) + options.heal_secs) * 1_000,
    });
    bursts.catch(() => {}); // awaited while it heals
    const outcomes = await blocked; // the cut stands until they are over, or one might arrive after it
    await clock.sleep(cutMs + blockMs - clock.nowMs(), signal);
    await measure({
      name: 'delivered_across_cut',
      value: outcomes.filter(({ received }) => received).length,
    });
    const atEnd = await viewAcross(context, sides, 'blocked');

    await followHealing(context, {
      sides,
      healed: cut.revert(),
      healMs: options.heal_secs * 1_000,
      log: { topic: topics.log, entries: written },
      bursts,
      viewsAtHeal: atEnd,
    });
    const after = await matrix.send(pairsAmong(context.fleet.nodes), {
      settleMs: SEND_SETTLE_MS,
      label: 'after the heal',
    });
    await measure({ name: 'delivered_after_ratio', ...deliveredRatio(after) });
  },
});

/** @throws UsageError for nodes that do not fit the fleet */
function sidesOf(
  { anchor, nodes }: PlannedFleet,
  {
    pair,
    side,
  }: { readonly pair?: readonly string[] | undefined; readonly side?: readonly string[] | undefined },
): Sides {
  const refuse = (flag: string, why: string) =>
    new UsageError('BAD_FLAG', `${flag}: ${why}`, { details: { flag } });
  const flag = side === undefined ? '--partition-pair' : '--partition-side';
  const named = side ?? pair;
  if (named === undefined) {
    throw refuse(
      flag,
      `${SCENARIO} needs two nodes, for example --partition-pair ${nodes.slice(-2).join(',')}`,
    );
  }
  const unknown = named.find((name) => !nodes.includes(name));
  if (unknown !== undefined) throw refuse(flag, `"${unknown}" is not one of ${nodes.join(', ')}`);
  if (new Set(named).size < named.length) throw refuse(flag, `"${named.join(',')}" names a node twice`);
  if (side !== undefined) {
    const right = nodes.filter((node) => !side.includes(node));
    if (right.length === 0) throw refuse(flag, 'expected some nodes, not all of them');
    return { left: side, right };
  }
  const [left, right] = named;
  if (left === undefined || right === undefined) throw refuse(flag, 'expected two nodes');
  if (named.includes(anchor))
    throw refuse(flag, `"${anchor}" is the anchor, which is never cut off from one node`);
  return { left: [left], right: [right] };
}

function topicsOf({ random, window }: ScenarioContext): Record<'left' | 'right' | 'log', string> {
  const base = `meshproof.partition.w${window}.${random.int(0, 0x7fff_fffe).toString(16)}`;
  return { left: `${base}.left`, right: `${base}.right`, log: `${base}.log` };
}

/** Entries that both sides took. */
async function writeOnBothSides(
  { mesh }: ScenarioContext,
  { left, right }: Sides,
  entries: number,
  topic: string,
): Promise<number> {
  const writers = [left[0], right[0]].filter((node) => node !== undefined);
  const taken = await Promise.all(
    writers.map(async (node) => {
      let count = 0;
      for (let entry = 1; entry <= entries; entry += 1) {
        const head = await mesh.appendLog(node, topic, Buffer.from(`${node} ${entry}`));
        if ('seen' in head) count += 1;
      }
      return count;
    }),
  );
  return taken.reduce((sum, count) => sum + count, 0);
}

async function publishOnBothSides(
  { matrix }: ScenarioContext,
  { left, right }: Sides,
  topics: Record<'left' | 'right', string>,
  { messages, settleMs }: { readonly messages: number; readonly settleMs: number },
): Promise<void> {
  const burst = { messages, payloadBytes: MESSAGE_BYTES, delayMs: MESSAGE_EVERY_MS, settleMs };
  await Promise.all([
    matrix.burst({ ...burst, publisher: left[0] ?? '', topic: topics.left }),
    matrix.burst({ ...burst, publisher: right[0] ?? '', topic: topics.right }),
  ]);
}
