import type { DirectMessages } from '../direct/direct-messages.ts';
import type { ReplicatedLog } from '../log/replicated-log.ts';
import type { PubSub } from '../pubsub/pubsub.ts';
import type { LinkEvent, PeerLink } from '../transport/transport.ts';
import type { AckDocument } from './schema/ack.ts';
import type { ConnectivityDocument } from './schema/connectivity.ts';
import type { DmDocument } from './schema/dm.ts';
import type { NodeEpoch } from './schema/envelope.ts';
import type { GossipDocument } from './schema/gossip.ts';
import type { RuntimeDocument } from './schema/runtime.ts';
import type { TransportDocument } from './schema/transport.ts';

/** What the API asks of gossip. */
export type PubSubService = Pick<PubSub, 'publish' | 'subscribe' | 'recordSlowSubscriberDrops'>;

/** What the API asks of direct messages; a failed send rejects with a code of `DIRECT_ERROR_STATUS` in upper case. */
export type DirectService = Pick<DirectMessages, 'send' | 'subscribe' | 'subscriberEvicted'>;

/** What the API asks of the replicated log; a failed append rejects with `LogError`. */
type LogService = Pick<ReplicatedLog, 'append' | 'headOf' | 'overview'>;

/** What the API asks of the transport. */
export interface LinkService {
  links(): readonly PeerLink[];
  onLink(listener: (event: LinkEvent) => void): () => void;
}

/** The documents behind `/diagnostics/*`, each made on demand from current state. */
export interface DocumentService {
  gossip(): GossipDocument;
  ack(): AckDocument;
  connectivity(): ConnectivityDocument;
  dm(): DmDocument;
  transport(): TransportDocument;
  runtime(): Promise<RuntimeDocument>;
}

export interface NodeFacts {
  readonly agentId: string;
  readonly machineId: string;
  readonly version: string;
  readonly instanceName: string | null;
  readonly networkId: string;
  /** Process epoch; `uptime_secs` in whole seconds. */
  epoch(): NodeEpoch;
  /** What an operator should know; empty on a healthy node. */
  warnings(): readonly string[];
}

/** Everything that the routes may use. Injected, so that each route is testable with fakes. */
export interface ApiServices {
  readonly facts: NodeFacts;
  readonly pubsub: PubSubService;
  readonly direct: DirectService;
  readonly logs: LogService;
  readonly links: LinkService;
  readonly documents: DocumentService;
  /** Begins an orderly stop of the whole node; returns at once. */
  requestShutdown(): void;
}
