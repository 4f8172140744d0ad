import type { AgentId, PeerId } from '../transport/transport.ts';

/** A message as its receiver gets it. `sender` is the agent that the connection has proven, hence `verified`. */
export interface DirectMessage {
  readonly requestId: string;
  readonly sender: AgentId;
  readonly machineId: PeerId;
  readonly payload: Uint8Array;
  readonly receivedAtUnixMs: number;
  readonly verified: true;
  /** `Accept` for our own messages; `Unknown` for agents that are in no contact list. */
  readonly trustDecision: 'Accept' | 'Unknown';
}
