/** SHA-256 of a machine's ML-DSA-65 public key, 64 lowercase hex characters: the identity of a peer on the wire. */
export type PeerId = string;
/** SHA-256 of an agent's ML-DSA-65 public key: the address people exchange. */
export type AgentId = string;

export type SocketAddress = { readonly host: string; readonly port: number };

/** Long-lived framed streams, most urgent first; each has its own QUIC stream and priority. */
export const TRAFFIC_CLASSES = ['control', 'direct', 'gossip', 'bulk'] as const;
export type TrafficClass = (typeof TRAFFIC_CLASSES)[number];

/** One live, mutually authenticated, canonical connection. */
export interface PeerLink {
  readonly peerId: PeerId;
  readonly agentId: AgentId;
  /** Raw ML-DSA-65 public key of the agent, proven in the hello. */
  readonly agentPublicKey: Uint8Array;
  /** Counts the canonical connections to this peer since this process started, from 1. */
  readonly generation: number;
  readonly initiator: 'us' | 'them';
  readonly remote: SocketAddress;
  /** The address that the peer says it listens on, for others to dial. */
  readonly listenAddress: SocketAddress;
  readonly establishedAtMs: number;
  /** What the peer's hello says it can do beyond the first version; unknown names mean nothing. */
  readonly features: readonly string[];
}

export type LinkEventName = 'Established' | 'Replaced' | 'Closing' | 'Closed' | 'ReaderExited';
export type LinkEvent = {
  readonly event: LinkEventName;
  readonly link: PeerLink;
  readonly atUnixMs: number;
  readonly reason: string | null;
};

/** What QUIC knows of one link; `null` where the binding cannot say. Maps to `per_peer_transport` rows. */
export interface LinkStats {
  readonly link: PeerLink;
  readonly rttMs: number | null;
  readonly congestionWindowBytes: number | null;
  readonly sentPackets: number;
  readonly lostPackets: number;
  readonly lostBytes: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly sentDatagrams: number;
  readonly receivedDatagrams: number;
  readonly mtuBytes: number | null;
  readonly lastSentAgoMs: number | null;
  readonly lastReceivedAgoMs: number | null;
  /** Waits here, since QUIC does not take it. */
  readonly queuedBytes: number;
  /** What QUIC would take now: the room left in the congestion window and in what the peer allows. */
  readonly sendCapacityBytes: number | null;
}

/** What a sender needs to tell silence from distance. */
export interface LinkPath {
  /** For how long nothing at all has come from the peer, acknowledgements and keep-alives included. */
  readonly quietMs: number;
  /** QUIC's smoothed round-trip time, whole milliseconds; `null` while it has none. */
  readonly rttMs: number | null;
}

/** Counters since start (monotonic) and gauges of the transport as a whole. */
export interface TransportStats {
  readonly boundAddress: SocketAddress | null;
  readonly links: readonly LinkStats[];
  readonly openConnections: number;
  readonly establishedTotal: number;
  readonly replacedTotal: number;
  readonly closedTotal: number;
  /** Links that ended, by the name in their close: `LivenessTimeout`, `PeerShutdown`, `Superseded`, … */
  readonly closedByReason: Readonly<Record<string, number>>;
  readonly readerExitedTotal: number;
  readonly dialsTotal: number;
  readonly inboundTotal: number;
  readonly dialFailuresTotal: number;
  readonly connectsWhileConnectedTotal: number;
  readonly disconnectsTotal: number;
  readonly helloRefusalsByReason: Readonly<Record<string, number>>;
  readonly socketSendErrorsTotal: number;
  readonly sendQueueBytes: number;
  readonly sendQueueCapacityBytes: number;
  /** Times that the free share of some link's send queue fell to 20 % or less. */
  readonly sendQueueHighWaterTotal: number;
  readonly receiveBufferedBytes: number;
  readonly malformedFramesTotal: number;
  /** Frames of a class, or for a link, that no room takes. */
  readonly unclaimedFramesTotal: number;
  /** Requests of peers that were reset because the rest of them did not come in time. */
  readonly expiredRequestsTotal: number;
  /** Datagrams that belong to no connection. */
  readonly strayDatagramsTotal: number;
  /** Handshakes that were not begun because too many strangers had not finished theirs. */
  readonly refusedInboundTotal: number;
  readonly socketReceiveErrorsTotal: number;
  /** What the kernel gave the socket for datagrams that nobody has read yet; a burst beyond it is lost. */
  readonly socketReceiveBufferBytes: number | null;
}

/** Steps of a request at its sender: the stream is open, QUIC has taken all bytes, the sending side is finished. */
export type RequestStep = 'opened' | 'written' | 'finished';

/**
 * What the rooms above may ask of the transport. Every wait takes a signal. `send` resolves when QUIC has taken the
 * whole frame (flow control and congestion included), so a stalled peer shows as a pending send; it rejects with
 * `TransportError` when there is no live link, the link ends, or the link's send queue is full.
 */
export interface Transport {
  readonly peerId: PeerId;
  /** The canonical live links; a peer is in here only while its connection is. */
  links(): readonly PeerLink[];
  linkTo(peerId: PeerId): PeerLink | undefined;
  /** Connects to `address`; refuses with a named reason when someone other than `expected` answers. */
  dial(address: SocketAddress, options: { expected?: PeerId; signal: AbortSignal }): Promise<PeerLink>;
  send(peerId: PeerId, trafficClass: TrafficClass, frame: Uint8Array, signal: AbortSignal): Promise<void>;
  /** One request and its reply on a fresh bidirectional stream; `onStep` is called as each step is done. */
  request(
    peerId: PeerId,
    body: Uint8Array,
    signal: AbortSignal,
    onStep?: (step: RequestStep) => void,
  ): Promise<Uint8Array>;
  /**
   * Takes whole frames of a class, in order per peer. While a returned promise is pending that stream is not read
   * further, and QUIC pushes back at the sender.
   */
  onFrame(
    trafficClass: TrafficClass,
    handler: (link: PeerLink, frame: Uint8Array) => void | Promise<void>,
  ): void;
  /** Takes whole requests; what the promise gives is the reply. A rejection resets the stream. */
  onRequest(handler: (link: PeerLink, body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>): void;
  /** Calls back for every lifecycle event; gives a function that stops it. */
  onLink(listener: (event: LinkEvent) => void): () => void;
  /**
   * Ends the live link. `reason` is a name of `close-codes.ts`, which both ends see; `detail` is for their logs. `Banned` also
   * refuses new links with that peer for ten minutes.
   */
  closeLink(peerId: PeerId, reason: string, detail?: string): void;
  stats(): TransportStats;
}
