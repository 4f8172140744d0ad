import { realClock } from '../../kit/clock.ts';
import { Deadline } from '../../kit/deadline.ts';
import { FaultError, messageOf } from '../../kit/errors.ts';
import type { RecordOf } from '../../proofs/evidence.ts';
import type { MeshHost } from '../fleet/mesh-host.ts';
import type { ControlChannel } from './control-channel.ts';
import type { Identity } from './phase-a.ts';

const ATTEMPT_BUDGET_MS = 5_000;
const RETRY_MS = 200;

/** Asks every node itself who it is; these answers are the identities that the matrix will hold receipts against. */
export async function identifyNodes(
  hosts: readonly MeshHost[],
  signal: AbortSignal,
): Promise<readonly RecordOf<'node_identified'>[]> {
  return await Promise.all(
    hosts.map(async (host) => {
      const [agent, health] = await Promise.all([host.node.agent({ signal }), host.node.health({ signal })]);
      return {
        type: 'node_identified' as const,
        node: host.name,
        agent_id: agent.agent_id,
        machine_id: agent.machine_id,
        udp_address: host.udpAddress,
        boot_id: health.boot_id,
        version: health.version,
      };
    }),
  );
}

/**
 * Discovery: every runner of the roster must answer, as the node it is meant to sit beside and with both its streams
 * attached, within `budgetMs`. Who stays silent is named; nobody is dropped from the plan for it.
 * @throws FaultError `RUNNERS_NOT_READY`
 */
export async function discoverRunners(
  channel: ControlChannel,
  identities: ReadonlyMap<string, Identity>,
  { budgetMs, signal }: { readonly budgetMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const deadline = Deadline.in(budgetMs);
  const silent = await Promise.all(
    [...identities].map(async ([node, identity]) => {
      for (let why = 'no answer'; ; ) {
        if (deadline.hasPassed()) return `${node} (${why})`;
        try {
          const budget = deadline.within(ATTEMPT_BUDGET_MS).remainingMs();
          const reply = await channel.call(node, 'discover', {}, { budgetMs: budget, signal });
          if (reply.agent_id === identity.agentId && reply.details.streams_attached === true) return null;
          why =
            reply.agent_id === identity.agentId
              ? 'streams not attached'
              : `answers for agent ${reply.agent_id}`;
        } catch (error) {
          signal.throwIfAborted();
          why = messageOf(error);
        }
        await realClock.sleep(Math.min(RETRY_MS, deadline.remainingMs()), signal);
      }
    }),
  );
  const missing = silent.filter((text) => text !== null);
  if (missing.length > 0) {
    throw new FaultError(
      'RUNNERS_NOT_READY',
      `no usable answer within ${budgetMs} ms from ${missing.join('; ')}`,
      {
        details: { missing },
      },
    );
  }
}
