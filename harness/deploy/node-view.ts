import { messageOf } from '../../kit/errors.ts';
import type { NodeClient } from '../../node/client.ts';

/** What a node says of itself, or why it does not say all of it. Only good together with what its host shows. */
export type NodeView =
  | {
      readonly silent: string;
      /** What it called itself although it did not answer the rest; an impostor need not know the whole API. */
      readonly claim?: NodeClaim;
    }
  | {
      readonly status: string;
      readonly why: string | null;
      readonly version: string;
      readonly uptimeSecs: number;
      readonly bootId: string;
      readonly machineId: string;
      readonly agentId: string;
      readonly pid: number;
      readonly bundleSha256: string | null;
      /** Machine ids of its live connections; each has proven its key in the handshake. */
      readonly peers: readonly string[];
    };

/** The word of a node alone: that it is well, and how many peers it has. */
export interface NodeClaim {
  readonly status: string;
  readonly peers: number;
}

const ASK_BUDGET_MS = 5_000;

/** Asks the node; never throws but for `signal`. */
export async function viewNode(open: () => Promise<NodeClient>, signal: AbortSignal): Promise<NodeView> {
  const options = { signal, timeoutMs: ASK_BUDGET_MS };
  let claim: NodeClaim | undefined;
  try {
    const node = await open();
    const asked = node.health(options).then((health) => {
      claim = { status: health.status, peers: health.peers };
      return health;
    });
    // Settled one by one, so that one failed answer does not hide what the node says of its health.
    const answers = [
      asked,
      node.agent(options),
      node.peers(options),
      node.document('runtime', options),
    ] as const;
    await Promise.allSettled(answers);
    const [health, agent, peers, runtime] = await Promise.all(answers);
    return {
      status: health.status,
      why: health.degraded_reason ?? null,
      version: health.version,
      uptimeSecs: health.uptime_secs,
      bootId: health.boot_id,
      machineId: agent.machine_id,
      agentId: agent.agent_id,
      pid: runtime.body.pid,
      bundleSha256: runtime.body.bundle_sha256,
      peers: peers.peers.map(({ id }) => id),
    };
  } catch (error) {
    signal.throwIfAborted();
    return { silent: messageOf(error), ...(claim === undefined ? {} : { claim }) };
  }
}
