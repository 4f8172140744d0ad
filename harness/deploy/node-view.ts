import { messageOf } from '../../kit/errors.ts';
import type { NodeClient } from '../../node/client.ts';

/** What a node says of itself, or that it says nothing. Only good together with what its host shows. */
export type NodeView =
  | { readonly silent: string }
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

const ASK_BUDGET_MS = 5_000;

/** Asks the node; never throws but for `signal`. */
export async function viewNode(open: () => Promise<NodeClient>, signal: AbortSignal): Promise<NodeView> {
  const options = { signal, timeoutMs: ASK_BUDGET_MS };
  try {
    const node = await open();
    const [health, agent, peers, runtime] = await Promise.all([
      node.health(options),
      node.agent(options),
      node.peers(options),
      node.document('runtime', options),
    ]);
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
    return { silent: messageOf(error) };
  }
}
