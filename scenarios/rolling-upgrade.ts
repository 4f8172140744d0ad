import * as z from 'zod';
import { UsageError } from '../kit/errors.ts';
import type { PairOutcome } from '../proofs/evidence.ts';
import { isSeen } from '../proofs/observation.ts';
import { deliveredRatio, pairsAmong, SEND_SETTLE_MS } from './delivery.ts';
import { type PlannedFleet, type ScenarioContext, SETTLE_FLAG, scenario } from './scenario.ts';
import { followWayBack } from './way-back.ts';

const SCENARIO = 'rolling_upgrade';
const NODES_MIN = 3; // fewer leave no pair beside the one that restarts
const MATRIX_EVERY_MS = 250; // from start to start, at most: as often as the way back is looked at

/** Restarts node after node onto another bundle, the rest of the mesh at work meanwhile; then the mixed mesh must be whole. */
export const rollingUpgrade = scenario({
  name: SCENARIO,
  summary: 'nodes restarted one by one onto another bundle, under traffic; the others must not feel it',
  destructive: 'restart',
  options: z.strictObject({
    nodes: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe('in this order; all but the anchor when left out'),
    recover_secs: z.number().min(1).max(3_600).default(60).describe('for each to come back'),
    messages: z.int().min(1).max(10_000).default(100).describe('of the burst through the upgraded mesh'),
    settle_secs: z.number().positive().max(600).default(30),
  }),
  flags: [
    SETTLE_FLAG,
    {
      flag: 'upgrade-nodes',
      option: 'nodes',
      describe: 'nodes to upgrade, in order, separated by commas (default: all but the anchor)',
      takes: { text: 'nodes' },
    },
    {
      flag: 'recover-secs',
      option: 'recover_secs',
      describe: 'time for each to come back (default 60)',
      takes: { number: 'any', low: 1, high: 3_600 },
    },
  ],
  plannedFaults: (fleet, { nodes }) =>
    targetsOf(fleet, nodes).map((node) => ({ kind: 'restart', nodes: [node] })),
  async run(context, { nodes, recover_secs, messages, settle_secs }) {
    const { fleet, matrix, measure, random, window } = context;
    const wrong: string[] = [];
    for (const node of targetsOf(fleet, nodes)) {
      const why = await upgradeOne(context, node, recover_secs * 1_000);
      if (why !== null) wrong.push(why);
    }
    const why = wrong.length === 0 ? {} : { why: wrong.join('; ') };
    await measure({ name: 'not_upgraded', value: wrong.length, ...why });
    const pairs = pairsAmong(fleet.nodes);
    const after = await matrix.send(pairs, { settleMs: SEND_SETTLE_MS, label: 'after the upgrade' });
    await measure({ name: 'delivered_after_ratio', ...deliveredRatio(after) });
    await matrix.burst({
      publisher: fleet.anchor,
      topic: `meshproof.upgrade.w${window}.${random.int(0, 0x7fff_fffe).toString(16)}`,
      messages,
      payloadBytes: 1_024,
      delayMs: 10,
      settleMs: settle_secs * 1_000,
    });
  },
});

/** Gives why the node does not run the other bundle now; null when it does. */
async function upgradeOne(context: ScenarioContext, node: string, budgetMs: number): Promise<string | null> {
  const { mesh, matrix, faults, upgrades, fleet, clock, measure, record, window, signal } = context;
  const before = await mesh.inspect(node);
  const was = isSeen(before) ? before.seen : null;
  const { bundleSha256 } = await upgrades.stage(node);
  const staged = { window, scenario: SCENARIO, node, bundle_sha256: bundleSha256 };
  await record({ type: 'upgrade_staged', ...staged });
  const outcomes: PairOutcome[] = [];
  let isOver = false;
  const traffic = (async () => {
    const pairs = pairsAmong(besides(fleet.nodes, node));
    do {
      const nextMs = clock.nowMs() + MATRIX_EVERY_MS;
      const label = `while ${node} restarts`;
      outcomes.push(...(await matrix.send(pairs, { settleMs: SEND_SETTLE_MS, label })));
      await clock.sleep(Math.max(0, nextMs - clock.nowMs()), signal);
    } while (!isOver);
  })();
  traffic.catch(() => {}); // awaited below
  try {
    const restarted = await faults.restart([node]);
    const fromMs = restarted.get(node)?.atMs ?? clock.nowMs();
    const oldBootId = was?.epoch.boot_id ?? null;
    const restart = { scenario: SCENARIO, node, oldBootId, fromMs, budgetMs };
    const { deliveringMs } = await followWayBack(context, restart);
    const late = `not within ${budgetMs / 1_000} s of its restart`;
    const back = deliveringMs === null ? { value: null, why: late } : { value: deliveringMs / 1_000 };
    await measure({ name: 'back_secs', node, ...back });
  } finally {
    isOver = true;
  }
  await traffic;
  const during = `${outcomes.length} messages while ${node} restarted`;
  await measure({ name: 'delivered_during_ratio', why: during, ...deliveredRatio(outcomes) });
  const after = await mesh.inspect(node);
  if (!isSeen(after)) return after.why;
  const { version, bundle_sha256: runs } = after.seen.runtime;
  if (runs === bundleSha256) return null;
  return `${node} runs ${runs?.slice(0, 12) ?? 'no bundle'} (version ${version}), not ${bundleSha256.slice(0, 12)}`;
}

function besides(nodes: readonly string[], node: string): readonly string[] {
  return nodes.filter((name) => name !== node);
}

/** @throws UsageError for nodes that do not fit the fleet */
function targetsOf({ anchor, nodes }: PlannedFleet, named: readonly string[] | undefined): readonly string[] {
  const refuse = (why: string) =>
    new UsageError('BAD_FLAG', `--upgrade-nodes: ${why}`, { details: { flag: '--upgrade-nodes' } });
  if (nodes.length < NODES_MIN) throw refuse(`${SCENARIO} needs a fleet of at least ${NODES_MIN} nodes`);
  const unknown = named?.find((node) => !nodes.includes(node));
  if (unknown !== undefined) throw refuse(`"${unknown}" is not one of ${nodes.join(', ')}`);
  if (named !== undefined && new Set(named).size < named.length)
    throw refuse(`"${named.join(',')}" names a node twice`);
  return named ?? nodes.filter((node) => node !== anchor);
}
