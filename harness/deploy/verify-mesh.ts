import { randomBytes } from 'node:crypto';
import pLimit from 'p-limit';
import { codeOf, messageOf } from '../../kit/errors.ts';
import type { NodeClient } from '../../node/client.ts';
import type { NodeView } from './node-view.ts';
import type { Problem } from './problem.ts';

/** One node whose connections are to be proven. */
export interface MeshMember {
  readonly name: string;
  readonly view: Exclude<NodeView, { readonly silent: string }>;
  readonly client: NodeClient;
}

const CONCURRENT_MESSAGES = 16;
const ACK_BUDGET_MS = 8_000;
const SEND_BUDGET_MS = 15_000; // the acknowledgement and a retry inside it

/** Directed pairs of different members that `counts`. */
type Counts = (from: string, to: string) => boolean;

/** Which members list no live connection to which others, one problem per directed pair that `counts`. Pure. */
export function missingLinks(
  members: readonly Pick<MeshMember, 'name' | 'view'>[],
  counts: Counts = () => true,
): readonly Problem[] {
  return members.flatMap(({ name, view }) =>
    members
      .filter((other) => other.name !== name && counts(name, other.name))
      .filter((other) => !view.peers.includes(other.view.machineId))
      .map((other): Problem => {
        const message = `${name}: no live connection to ${other.name}`;
        return { host: name, code: 'LINK_MISSING', message, peer: other.name };
      }),
  );
}

/**
 * Sends an acknowledged direct message over every directed pair that `counts`. A receipt by the raw connection proves
 * that both ends hold the same live one.
 */
export async function exchangeMessages(
  members: readonly MeshMember[],
  signal: AbortSignal,
  counts: Counts = () => true,
): Promise<{ readonly acknowledged: number; readonly problems: readonly Problem[] }> {
  const limit = pLimit(CONCURRENT_MESSAGES);
  const pairs = members.flatMap((from) =>
    members.filter((to) => to !== from && counts(from.name, to.name)).map((to) => ({ from, to })),
  );
  const results = await Promise.all(pairs.map(({ from, to }) => limit(() => exchange(from, to, signal))));
  const problems = results.filter((problem) => problem !== null);
  return { acknowledged: pairs.length - problems.length, problems };
}

async function exchange(from: MeshMember, to: MeshMember, signal: AbortSignal): Promise<Problem | null> {
  const failed = (why: string): Problem => ({
    host: from.name,
    peer: to.name,
    code: 'MESSAGE_NOT_ACKNOWLEDGED',
    message: `${from.name}: its message to ${to.name} was not acknowledged: ${why}`,
  });
  try {
    const receipt = await from.client.directSend(
      {
        agent_id: to.view.agentId,
        payload: Buffer.from(`deploy-check:${randomBytes(8).toString('hex')}`),
        prefer_raw_quic_if_connected: true,
        raw_quic_receive_ack_ms: ACK_BUDGET_MS,
        stop_fallback_on_raw_error: true,
      },
      { signal, timeoutMs: SEND_BUDGET_MS },
    );
    return receipt.path === 'raw_quic_acked' ? null : failed(`it went by ${receipt.path}`);
  } catch (error) {
    signal.throwIfAborted();
    return failed(`${messageOf(error)} [${codeOf(error)}]`);
  }
}
