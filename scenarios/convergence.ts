import * as z from 'zod';
import { UsageError } from '../kit/errors.ts';
import { isSeen } from '../proofs/observation.ts';
import { type Edge, edgesBetween } from './faults.ts';
import { unequalNodes } from './log-equality.ts';
import { reachedAt, secsSince } from './reached.ts';
import { type PlannedFleet, type ScenarioContext, scenario } from './scenario.ts';

const SCENARIO = 'convergence';
const FLAG = 'converge-side';
const POLL_MS = 500;
const SUSTAIN_EVERY_MS = 1_000;
const REASONS_KEPT = 5;

/** Every node writes to one replicated log, across a partition when one is asked for; all must end up with the same. */
export const convergence = scenario({
  name: SCENARIO,
  summary:
    'all nodes write to one log, also across a partition; heights and head hashes must become and stay equal',
  destructive: ({ side }) => (side === undefined ? null : 'partition'),
  options: z.strictObject({
    side: z.array(z.string().min(1)).min(1).optional().describe('cut off from all others while all write'),
    write_secs: z.number().min(1).max(3_000).default(60),
    per_sec: z.number().min(0.1).max(100).default(5).describe('entries of each node'),
    payload_bytes: z.int().min(1).max(65_536).default(256),
    heal_secs: z
      .number()
      .min(1)
      .max(3_000)
      .default(90)
      .describe('after which unequal logs count as diverged'),
    sustain_secs: z.number().min(0).max(3_000).default(10).describe('for which equal logs must stay equal'),
  }),
  flags: [
    {
      flag: FLAG,
      option: 'side',
      describe: 'nodes that are cut off from all others while all write (default: no partition)',
      takes: { text: 'nodes' },
    },
    {
      flag: 'write-secs',
      option: 'write_secs',
      describe: 'how long every node writes (default 60)',
      takes: { number: 'any', low: 1, high: 3_000 },
    },
    {
      flag: 'heal-secs',
      option: 'heal_secs',
      describe: 'time for all logs to become equal (default 90)',
      takes: { number: 'any', low: 1, high: 3_000 },
    },
  ],
  plannedFaults(fleet, { side }) {
    return side === undefined ? [] : [{ kind: 'cut', edges: edgesOf(fleet, side) }];
  },
  async run(context, options) {
    const { faults, fleet, measure, clock } = context;
    const { side } = options;
    const topic = topicOf(context);
    await using cut = side === undefined ? null : await faults.cut({ edges: edgesOf(fleet, side) });
    const untilMs = clock.nowMs() + options.write_secs * 1_000;
    const pace = { untilMs, everyMs: 1_000 / options.per_sec, payloadBytes: options.payload_bytes };
    const written = await Promise.all(fleet.nodes.map((node) => write(context, node, topic, pace)));
    const entries = written.reduce((sum, { taken }) => sum + taken, 0);
    const refusals = written.flatMap(({ refused }) => refused);
    const refusedCount = written.reduce((sum, { refusedCount: count }) => sum + count, 0);
    await measure({ name: 'entries_written', value: entries });
    const why = refusals.length === 0 ? {} : { why: refusals.join('; ') };
    await measure({ name: 'entries_refused', value: refusedCount, ...why });

    const healMs = options.heal_secs * 1_000;
    const healed = cut === null ? { endedAtMs: clock.nowMs() } : cut.revert();
    await followEquality(context, { topic, entries, healed, healMs }, options.sustain_secs * 1_000);
  },
});

function topicOf({ random, window }: ScenarioContext): string {
  return `meshproof.convergence.w${window}.${random.int(0, 0x7fff_fffe).toString(16)}`;
}

/** @throws UsageError for nodes that do not fit the fleet */
function edgesOf({ nodes }: PlannedFleet, side: readonly string[]): readonly Edge[] {
  const refuse = (why: string) =>
    new UsageError('BAD_FLAG', `--${FLAG}: ${why}`, { details: { flag: `--${FLAG}` } });
  const unknown = side.find((name) => !nodes.includes(name));
  if (unknown !== undefined) throw refuse(`"${unknown}" is not one of ${nodes.join(', ')}`);
  if (new Set(side).size < side.length) throw refuse(`"${side.join(',')}" names a node twice`);
  const rest = nodes.filter((node) => !side.includes(node));
  if (rest.length === 0) throw refuse('expected some nodes, not all of them');
  return edgesBetween(side, rest);
}

interface Pace {
  readonly untilMs: number;
  readonly everyMs: number;
  readonly payloadBytes: number;
}

interface Written {
  readonly taken: number;
  readonly refusedCount: number;
  /** The first few reasons. */
  readonly refused: readonly string[];
}

/** Appends at one node, an entry after the other, until its time is over. */
async function write(
  { mesh, clock, signal }: ScenarioContext,
  node: string,
  topic: string,
  { untilMs, everyMs, payloadBytes }: Pace,
): Promise<Written> {
  let taken = 0;
  let refusedCount = 0;
  const refused: string[] = [];
  for (let entry = 1; clock.nowMs() < untilMs; entry += 1) {
    const nextMs = clock.nowMs() + everyMs;
    const payload = Buffer.alloc(payloadBytes, `${node} ${entry} `);
    const head = await mesh.appendLog(node, topic, payload);
    if (isSeen(head)) {
      taken += 1;
    } else {
      refusedCount += 1;
      if (refused.length < REASONS_KEPT) refused.push(head.why);
    }
    await clock.sleep(Math.max(0, nextMs - clock.nowMs()), signal);
  }
  return { taken, refusedCount, refused };
}

interface Equality {
  readonly topic: string;
  readonly entries: number;
  /** The clock of convergence starts here. */
  readonly healed: { readonly endedAtMs: number } | Promise<{ readonly endedAtMs: number }>;
  readonly healMs: number;
}

/** Times when all logs hold the same, then watches whether they keep to it. */
async function followEquality(
  context: ScenarioContext,
  { topic, entries, healed, healMs }: Equality,
  sustainMs: number,
): Promise<void> {
  const { clock, measure, signal } = context;
  const expected = { topic, entries };
  const askedMs = clock.nowMs();
  // Polled while the heal is still being measured, so that nothing is missed.
  const equal = reachedAt(
    context,
    'equal logs',
    { untilMs: askedMs + healMs, everyMs: POLL_MS },
    async () => (await unequalNodes(context, expected)).length === 0,
  );
  equal.catch(() => {}); // awaited at once
  const { endedAtMs } = await healed;
  const equalAtMs = await equal;
  const unequal = equalAtMs === null ? await unequalNodes(context, expected) : [];
  const told = unequal.length === 0 ? {} : { why: unequal.join('; ') };
  await measure({
    name: 'equal_secs',
    ...secsSince(endedAtMs, equalAtMs, `not within ${healMs / 1_000} s`),
  });
  await measure({ name: 'unequal_nodes', value: unequal.length, ...told });
  if (equalAtMs === null) {
    await measure({ name: 'diverged_looks', value: null, why: 'the logs never became equal' });
    return;
  }
  const sustainedMs = clock.nowMs() + sustainMs;
  const diverged: string[] = [];
  let looks = 0;
  while (clock.nowMs() < sustainedMs) {
    await clock.sleep(Math.min(SUSTAIN_EVERY_MS, sustainedMs - clock.nowMs()), signal);
    const found = await unequalNodes(context, expected);
    if (found.length === 0) continue;
    looks += 1;
    if (diverged.length < REASONS_KEPT) diverged.push(found.join('; '));
  }
  const why = looks === 0 ? {} : { why: diverged.join(' | ') };
  await measure({ name: 'diverged_looks', value: looks, ...why });
}
