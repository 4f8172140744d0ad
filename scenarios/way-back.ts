import { isSeen } from '../proofs/observation.ts';
import { reachedAt } from './reached.ts';
import type { ScenarioContext } from './scenario.ts';

const POLL_MS = 250;
/** For one message each way; the nodes' own budget for an acknowledgement is 8 s. */
const PROBE_SETTLE_MS = 10_000;

export interface Restarted {
  readonly scenario: string;
  readonly node: string;
  /** Of the process before; null when it was not seen. */
  readonly oldBootId: string | null;
  /** When it was told to restart, by the scenario's clock. */
  readonly fromMs: number;
  readonly budgetMs: number;
}

/** Times from the restart, in ms; null for what was not reached in time. */
interface WayBack {
  readonly meshedMs: number | null;
  readonly deliveringMs: number | null;
}

/**
 * Times the way back of one node: a new process, healthy and linked to all, then a message each way. Its end, reached or
 * not, is recorded: what is silent after it counts.
 */
export async function followWayBack(context: ScenarioContext, restarted: Restarted): Promise<WayBack> {
  const { scenario, node, fromMs, budgetMs } = restarted;
  const { window, record } = context;
  const wait = { untilMs: fromMs + budgetMs, everyMs: POLL_MS };
  const reached = async (what: string, probe: () => Promise<boolean>) => {
    const atMs = await reachedAt(context, what, wait, probe);
    return atMs === null ? null : atMs - fromMs;
  };
  const meshedMs = await reached(`${node} back in the mesh`, () => isBack(context, restarted));
  const deliveringMs =
    meshedMs === null ? null : await reached(`${node} delivering`, () => isDelivering(context, node));
  await record({ type: 'node_recovered', window, scenario, node, after_ms: deliveringMs });
  return { meshedMs, deliveringMs };
}

/** Its old process may still answer for a moment: only a new one is back. */
async function isBack({ mesh, fleet }: ScenarioContext, { node, oldBootId }: Restarted): Promise<boolean> {
  const now = await mesh.look(node);
  if (!isSeen(now) || now.seen.epoch.boot_id === oldBootId) return false;
  return await mesh.isMeshed(node, fleet.nodes);
}

async function isDelivering({ matrix, fleet }: ScenarioContext, node: string): Promise<boolean> {
  const peer = node === fleet.anchor ? fleet.nodes.find((other) => other !== node) : fleet.anchor;
  if (peer === undefined) return true;
  const outcomes = await matrix.send(
    [
      [peer, node],
      [node, peer],
    ],
    { settleMs: PROBE_SETTLE_MS, label: `recovery of ${node}` },
  );
  return outcomes.every(({ failure }) => failure === null);
}
