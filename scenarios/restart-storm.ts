import * as z from 'zod';
import { isSeen } from '../proofs/observation.ts';
import { thirdOf } from './faults.ts';
import { type PlannedFleet, type ScenarioContext, scenario } from './scenario.ts';
import { followWayBack, type Restarted } from './way-back.ts';

const SCENARIO = 'restart_storm';

/** Restarts several nodes at once; each must come back into the mesh and deliver, timed from its own restart. */
export const restartStorm = scenario({
  name: SCENARIO,
  summary: 'several nodes restarted at once; each must rejoin the mesh and deliver again',
  destructive: 'restart',
  options: z.strictObject({
    count: z.int().min(1).max(64).nullable().default(null).describe('nodes; a third of the fleet when null'),
    recover_secs: z.number().min(1).max(3_600).default(120).describe('after which a node counts as lost'),
  }),
  flags: [
    {
      flag: 'restart-count',
      option: 'count',
      describe: 'nodes restarted at once (default: a third of the fleet)',
      takes: { number: 'whole', low: 1, high: 64 },
    },
    {
      flag: 'recover-secs',
      option: 'recover_secs',
      describe: 'time for each to come back (default 120)',
      takes: { number: 'any', low: 1, high: 3_600 },
    },
  ],
  plannedFaults: (fleet, { count }) => [{ kind: 'restart', nodes: targetsOf(fleet, count) }],
  async run(context, { count, recover_secs }) {
    const targets = targetsOf(context.fleet, count);
    const before = new Map(
      await Promise.all(targets.map(async (node) => [node, await context.mesh.look(node)] as const)),
    );
    const restarted = await context.faults.restart(targets);
    await Promise.all(
      targets.map(async (node) => {
        const was = before.get(node);
        const oldBootId = was !== undefined && isSeen(was) ? was.seen.epoch.boot_id : null;
        const fromMs = restarted.get(node)?.atMs ?? context.clock.nowMs();
        await followRecovery(context, {
          scenario: SCENARIO,
          node,
          oldBootId,
          fromMs,
          budgetMs: recover_secs * 1_000,
        });
      }),
    );
  },
});

/** The first nodes of the roster that are not the anchor. */
function targetsOf({ anchor, nodes }: PlannedFleet, count: number | null): readonly string[] {
  return nodes.filter((node) => node !== anchor).slice(0, count ?? thirdOf(nodes));
}

/** Records the way back of one node. */
async function followRecovery(context: ScenarioContext, restarted: Restarted): Promise<void> {
  const { measure } = context;
  const { node, budgetMs } = restarted;
  const { meshedMs, deliveringMs } = await followWayBack(context, restarted);
  const late = `not within ${budgetMs / 1_000} s of its restart`;
  const secsOf = (ms: number | null) => (ms === null ? { value: null, why: late } : { value: ms / 1_000 });
  await measure({ name: 'meshed_secs', node, ...secsOf(meshedMs) });
  await measure({ name: 'delivering_secs', node, ...secsOf(deliveringMs) });
}
