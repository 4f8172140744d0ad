import type { ConnectivityDocument } from '../node/api/schema/connectivity.ts';
import type { GossipDocument } from '../node/api/schema/gossip.ts';
import type { RuntimeDocument } from '../node/api/schema/runtime.ts';
import type { TransportDocument } from '../node/api/schema/transport.ts';
import type { Epoch } from '../proofs/evidence.ts';
import type { Observation } from '../proofs/observation.ts';
import type { PeerView } from '../proofs/scenario-records.ts';

/** The state of one topic's replicated log at one node. */
export interface LogHead {
  readonly height: number;
  readonly headHash: string;
}

/** One node as it shows itself at one moment. */
export interface NodeLook {
  readonly epoch: Epoch;
  readonly gossip: GossipDocument;
  readonly connectivity: ConnectivityDocument;
}

/** What one node says of its own process, its transport and its gossip at one moment. */
export interface NodeInside {
  readonly epoch: Epoch;
  readonly gossip: GossipDocument;
  readonly transport: TransportDocument['transport'];
  readonly runtime: RuntimeDocument;
}

/** Questions to nodes over their APIs. A node that does not answer is an observation, never an exception. */
export interface MeshAccess {
  identityOf(node: string): { readonly agentId: string; readonly machineId: string };
  look(node: string): Promise<Observation<NodeLook>>;
  /** All documents of one process: two of different ones are not seen. */
  inspect(node: string): Promise<Observation<NodeInside>>;
  /** How each of the observers sees the target; recorded as `peer_view` under `label`. */
  viewPeer(
    target: string,
    options: { readonly observers: readonly string[]; readonly label: string },
  ): Promise<readonly PeerView[]>;
  /** Healthy, and with a live connection to each of `peers`. */
  isMeshed(node: string, peers: readonly string[]): Promise<boolean>;
  /** Adds an entry to the replicated log of `topic` at `node`. */
  appendLog(node: string, topic: string, payload: Uint8Array): Promise<Observation<LogHead>>;
  logHead(node: string, topic: string): Promise<Observation<LogHead>>;
  /** Wall clock of the node's host minus the harness's, in ms, and half the round trip as its uncertainty. */
  clockOffset(
    node: string,
  ): Promise<Observation<{ readonly offsetMs: number; readonly uncertaintyMs: number }>>;
}
