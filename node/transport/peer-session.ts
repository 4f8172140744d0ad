import type { Logger } from 'pino';
import { sha256 } from '../../kit/hash.ts';
import type { Signing } from '../../kit/signing.ts';
import { unmapped } from './addresses.ts';
import type { CloseReason, RefusalName } from './close-codes.ts';
import { connectionIdOf, type Hello, peerIdOf } from './hello.ts';
import { HelloExchange, type Identity, type Refusal } from './hello-exchange.ts';
import { judgeVitals } from './link-watch.ts';
import { PeerStreams, type StreamsFailure } from './peer-streams.ts';
import type { ConnectionUser, QuicConnection } from './quic-connection.ts';
import type { Contender } from './supersede.ts';
import type { PeerId, PeerLink, TrafficClass } from './transport.ts';
import { linkClosed, linkReplaced, type TransportError } from './transport-error.ts';
import type { TransportTuning } from './tuning.ts';

/** What a session tells the transport that owns it. */
export interface SessionOwner {
  readonly machine: Identity;
  readonly agent: Identity;
  readonly signing: Signing;
  readonly tuning: TransportTuning;
  readonly log: Logger;
  readonly certificateSha256: Uint8Array;
  nowMs(): number;
  /** Why this peer may have no link now; undefined when it may. */
  turnsAway(peerId: PeerId): Refusal | undefined;
  /** Both sides proved themselves; gives the link under which this session's frames are delivered. */
  established(session: PeerSession, theirs: Hello, contender: Contender): PeerLink;
  deliver(session: PeerSession, trafficClass: TrafficClass, frame: Uint8Array): void | Promise<void>;
  answer(session: PeerSession, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  readerExited(session: PeerSession, detail: string): void;
  malformed(): void;
  requestExpired(): void;
  highWater(): void;
  over(session: PeerSession, reason: CloseReason): void;
}

interface SessionOptions {
  readonly ownHello: Hello;
  readonly expected: PeerId | undefined;
}

/** One connection from its handshake to its end: first the hello, then the streams of a link. */
export class PeerSession implements ConnectionUser {
  readonly connection: QuicConnection;
  readonly #options: SessionOptions;
  readonly #owner: SessionOwner;
  #hello: HelloExchange | undefined;
  #streams: PeerStreams | undefined;
  #link: PeerLink | undefined;
  #deadline: NodeJS.Timeout | undefined;
  /** Since when looks have found bytes waiting of which none left; an idle link has no such time, however long it is idle. */
  #stuckSinceMs: number | undefined;
  /** When this session, which another has replaced, must be gone. */
  drainUntilMs: number | undefined;

  constructor(connection: QuicConnection, options: SessionOptions, owner: SessionOwner) {
    this.connection = connection;
    this.#options = options;
    this.#owner = owner;
  }

  /** Set once both sides have finished the hello. */
  get link(): PeerLink | undefined {
    return this.#link;
  }

  get streams(): PeerStreams | undefined {
    return this.#streams;
  }

  start(): void {
    const { connectTimeoutMs } = this.#owner.tuning;
    this.#deadline = setTimeout(
      () => this.connection.close('DialAborted', `no handshake within ${connectTimeoutMs} ms`),
      connectTimeoutMs,
    );
    this.connection.use(this);
    this.connection.schedulePump();
  }

  handshaken(): void {
    const { helloTimeoutMs } = this.#owner.tuning;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(
      () => this.#refuse('HELLO_TIMEOUT', `no hello within ${helloTimeoutMs} ms`),
      helloTimeoutMs,
    );
    const certificate = this.connection.native.peerCertChain()?.[0];
    if (certificate === undefined) this.#refuse('NO_CERTIFICATE', 'the peer showed no certificate');
    else this.#startHello(sha256(certificate));
  }

  readExpected(): void {
    this.#failOn(this.#streams?.readExpected());
  }

  readable(streamId: number): void {
    if (this.#streams === undefined) this.#hello?.readable(streamId);
    else if (streamId !== 0) this.#failOn(this.#streams.readable(streamId));
    else this.connection.native.streamRecv(0, new Uint8Array(64)); // the end of the hello's stream
  }

  flush(): number {
    if (this.#streams === undefined) return this.#hello?.flush() ?? 0;
    let written = this.#hello?.flush() ?? 0; // our `ready` may still be on its way
    const flushed = this.#streams.flush();
    if (typeof flushed === 'number') written += flushed;
    else this.#failOn(flushed);
    if (written > 0) this.#stuckSinceMs = undefined;
    return written;
  }

  sendCapacity(): number {
    return this.#streams?.sendCapacity() ?? 0;
  }

  closed(reason: CloseReason): void {
    clearTimeout(this.#deadline);
    this.#hello?.abandon();
    this.#owner.over(this, reason);
    this.#streams?.close(() => this.#errorFor(reason));
  }

  /** Regular look at a live link: keep it alive, or end it when it is dead or will never send again. */
  tick(nowMs: number): void {
    if (this.#streams === undefined || this.connection.end !== undefined) return;
    if (this.drainUntilMs !== undefined && nowMs >= this.drainUntilMs) {
      this.connection.close('Superseded', 'another connection to this peer took over');
      return;
    }
    this.#streams.tick(nowMs);
    const { tuning } = this.#owner;
    const { queuedBytes } = this.#streams;
    if (queuedBytes === 0) this.#stuckSinceMs = undefined;
    else this.#stuckSinceMs ??= nowMs;
    const vitals = {
      lastSentMs: this.connection.lastSentMs,
      lastReceivedMs: this.connection.lastReceivedMs,
      queuedBytes,
      stuckSinceMs: this.#stuckSinceMs ?? nowMs,
    };
    const verdict = judgeVitals(vitals, tuning, nowMs);
    if (verdict === 'ping') this.connection.ping();
    else if (verdict === 'silent') {
      this.connection.close('LivenessTimeout', `nothing came for ${tuning.idleTimeoutMs} ms`);
    } else if (verdict === 'stalled') {
      const detail = `${vitals.queuedBytes} bytes waited and none left for ${tuning.stallMs} ms`;
      this.connection.close('SendStalled', detail);
    }
  }

  #startHello(peerCertificateSha256: Uint8Array): void {
    const { machine, agent, signing, certificateSha256 } = this.#owner;
    this.#hello = new HelloExchange({
      connection: this.connection.native,
      role: this.connection.initiator === 'us' ? 'initiator' : 'responder',
      ownHello: this.#options.ownHello,
      certificateSha256,
      peerCertificateSha256,
      expected: this.#options.expected,
      machine,
      agent,
      signing,
      needsPump: () => this.connection.schedulePump(),
      turnsAway: (peerId) => this.#owner.turnsAway(peerId),
      refuse: (name, why) => this.#refuse(name, why),
      accepted: (theirs) => this.#accept(theirs, peerCertificateSha256),
      broken: (error) => {
        this.#owner.log.error({ err: error }, 'the hello failed on our side');
        this.connection.close('LifecycleCleanup', 'the hello failed on the other side');
      },
    });
    this.#hello.start();
  }

  #accept(theirs: Hello, peerCertificateSha256: Uint8Array): void {
    clearTimeout(this.#deadline);
    const owner = this.#owner;
    const { connection } = this;
    const turnedAway = owner.turnsAway(peerIdOf(theirs)); // others took the room during this hello, or it was banned
    if (turnedAway !== undefined) {
      this.#refuse(turnedAway.name, turnedAway.why);
      return;
    }
    const isOurs = connection.initiator === 'us';
    this.#streams = new PeerStreams({
      connection: connection.native,
      initiator: connection.initiator,
      sendQueueBytes: owner.tuning.sendQueueBytesPerLink,
      receiveBytes: owner.tuning.receiveBytesPerLink,
      requestStallMs: owner.tuning.requestStallMs,
      deliver: (trafficClass, frame) => owner.deliver(this, trafficClass, frame),
      answer: (body, signal) => owner.answer(this, body, signal),
      needsPump: () => connection.schedulePump(),
      handlerFailed: (what, error) =>
        owner.log.error({ err: error, what }, 'a handler of the transport failed'),
      malformed: () => owner.malformed(),
      requestExpired: () => owner.requestExpired(),
      highWater: () => owner.highWater(),
    });
    this.#link = owner.established(this, theirs, {
      connectionId: connectionIdOf(this.#options.ownHello, theirs),
      initiatorPeerId: isOurs ? owner.machine.id : peerIdOf(theirs),
      dialSequence: isOurs ? this.#options.ownHello.dialSequence : theirs.dialSequence,
      peerInstance: Buffer.from(peerCertificateSha256).toString('hex'),
      establishedAtMs: owner.nowMs(),
    });
    connection.mayDelayAcknowledgements = true;
    connection.schedulePump(); // frames may have come before the last word of the hello
  }

  #refuse(name: RefusalName, why: string): void {
    this.connection.close(name, why);
  }

  #failOn(failure: StreamsFailure | undefined): void {
    if (failure === undefined || this.connection.end !== undefined) return;
    if (failure.name === 'ReaderExit') this.#owner.readerExited(this, failure.detail);
    this.connection.close(failure.name, failure.detail);
  }

  #errorFor(reason: CloseReason): TransportError {
    const peerId = this.#link?.peerId ?? unmapped(this.connection.remote.host);
    const isReplaced = this.drainUntilMs !== undefined || reason.name === 'Superseded';
    return isReplaced ? linkReplaced(peerId) : linkClosed(peerId, reason.name, reason.detail);
  }
}
