import type { NodeClient } from '../node/client.ts';

/** All that a runner asks of its node: what any client of the API may ask, nothing more. */
export type NodeApi = Pick<
  NodeClient,
  'agent' | 'publish' | 'subscribe' | 'unsubscribe' | 'directSend' | 'directEvents' | 'events' | 'close'
>;

export interface NodeIdentity {
  readonly agent_id: string;
  readonly machine_id: string;
}

/** Gives a client that uses the token as it is now; a restarted node may have another. */
export type OpenNode = () => Promise<NodeApi>;
