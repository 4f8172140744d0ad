import quiche from '@matrixai/quic/native/quiche.js';
import type { Connection, RecvInfo } from '@matrixai/quic/native/types.js';
import { messageOf } from '../../kit/errors.ts';
import { CLOSE_CODES, type CloseName, type CloseReason, closeNameOf } from './close-codes.ts';
import type { SocketAddress } from './transport.ts';
import type { UdpSocket } from './udp-socket.ts';

const MAX_PACKETS_PER_PUMP = 256; // then other connections have their turn
const PAYLOAD_SHARE = 0.93; // of a congestion window, headers taken off

/** Who lives on a connection: first the hello, then the streams of a link. */
export interface ConnectionUser {
  /** TLS is done at our side. */
  handshaken(): void;
  /** Reads the streams that most likely have something: asking QUIC for its list costs more than the reading. */
  readExpected(): void;
  /** `streamId` has bytes, an end or a reset to read. */
  readable(streamId: number): void;
  /** Hands waiting bytes to QUIC; gives how many it took. */
  flush(): number;
  /** What QUIC would take now, in bytes: the congestion window's room when it last heard from the peer. */
  sendCapacity(): number;
  /** Called once: nothing can be sent or received any more. */
  closed(reason: CloseReason): void;
}

/** What a connection needs from the endpoint that owns the socket. */
export interface ConnectionHost {
  readonly socket: UdpSocket;
  readonly localAddress: SocketAddress;
  readonly acknowledgeEveryPackets: number;
  nowMs(): number;
  /** Asks for one `pump` at the end of this turn of the event loop. */
  schedulePump(connection: QuicConnection): void;
  /** Asks for a `flushAcknowledgements` within the acknowledgement delay. */
  scheduleAcknowledgement(connection: QuicConnection): void;
  /** What waited for that has gone out in other company. */
  acknowledged(connection: QuicConnection): void;
  /** The native connection is over; forget it. */
  release(connection: QuicConnection): void;
}

/**
 * Drives one native QUIC connection: datagrams in, at most one pump per turn of the event loop (read, write, send),
 * one timer. Acknowledgements that would travel alone wait a few milliseconds for company once `mayDelayAcknowledgements`.
 */
export class QuicConnection {
  readonly native: Connection;
  readonly initiator: 'us' | 'them';
  readonly remote: SocketAddress;
  readonly openedAtMs: number;
  readonly #host: ConnectionHost;
  readonly #receiveInfo: RecvInfo;
  #user: ConnectionUser | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #isHandshaken = false;
  #end: CloseReason | undefined;
  #isReleased = false;
  #packetsUnacknowledged = 0;
  #unsentBytes = 0; // taken by QUIC beyond the congestion window: the next acknowledgement must set them free
  #mustTransmit = false;
  isPumpScheduled = false;
  mayDelayAcknowledgements = false;
  sentDatagrams = 0;
  receivedDatagrams = 0;
  lastSentMs: number;
  lastReceivedMs: number;

  constructor(native: Connection, initiator: 'us' | 'them', remote: SocketAddress, host: ConnectionHost) {
    this.native = native;
    this.initiator = initiator;
    this.remote = remote;
    this.#host = host;
    this.#receiveInfo = { from: { ...remote }, to: { ...host.localAddress } };
    this.openedAtMs = host.nowMs();
    this.lastSentMs = this.openedAtMs;
    this.lastReceivedMs = this.openedAtMs;
  }

  /** Why the connection is over; undefined while it lives. */
  get end(): CloseReason | undefined {
    return this.#end;
  }

  use(user: ConnectionUser): void {
    this.#user = user;
  }

  receive(datagram: Uint8Array, host: string, port: number): void {
    if (this.#isReleased) return;
    const known = this.#receiveInfo;
    const isKnownPath = known.from.port === port && known.from.host === host;
    try {
      this.native.recv(datagram, isKnownPath ? known : { from: { host, port }, to: known.to });
      this.receivedDatagrams += 1;
      this.#packetsUnacknowledged += 1;
      this.lastReceivedMs = this.#host.nowMs();
    } catch {
      // Either a packet that is not for us to read, or a failed handshake, which `isDraining` and the timer show.
      this.#mustTransmit = true;
    }
    this.schedulePump();
  }

  schedulePump(): void {
    if (!this.isPumpScheduled && !this.#isReleased) this.#host.schedulePump(this);
  }

  /** One turn: what came is read, what waits is written, what QUIC wants on the wire is sent. */
  pump(): void {
    this.isPumpScheduled = false;
    if (this.#isReleased) return;
    const written = this.#end === undefined ? this.#turnStreams() : 0;
    if (this.#mayWait(written)) {
      this.#host.scheduleAcknowledgement(this);
    } else {
      this.#transmit();
    }
    this.#observeEnd();
    this.#armTimer();
  }

  /** Sends what is due (window updates and resets too) without another look at the streams. */
  flushAcknowledgements(): void {
    if (this.#isReleased) return;
    this.#transmit();
    this.#armTimer();
  }

  /** Puts a packet on the wire that the peer must acknowledge. */
  ping(): void {
    if (this.#end !== undefined) return;
    this.native.sendAckEliciting();
    this.#transmit();
    this.#armTimer();
  }

  /** Closes at once; the peer learns name and detail. Later calls change nothing. */
  close(name: CloseName, detail: string): void {
    if (this.#end !== undefined) return;
    this.#closeNative(CLOSE_CODES[name], `${name}: ${detail}`);
    this.#finish({ by: 'us', name, detail });
    this.#transmit();
    // A handshake that came to nothing leaves nobody to wait out the draining period for.
    if (this.#isHandshaken) this.#armTimer();
    else this.release();
  }

  /** Lets go of everything, without another packet. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    clearTimeout(this.#timer);
    this.#finish({ by: 'us', name: 'PeerShutdown', detail: 'released' });
    this.#host.release(this);
  }

  #turnStreams(): number {
    const user = this.#user;
    if (user === undefined) return 0;
    if (!this.#isHandshaken && this.native.isEstablished()) {
      this.#isHandshaken = true;
      user.handshaken();
    }
    if (!this.#isHandshaken) return 0;
    if (this.native.isReadable()) user.readExpected();
    if (this.#end === undefined && this.native.isReadable()) {
      for (const streamId of this.native.readable()) user.readable(streamId);
    }
    return this.#end === undefined ? user.flush() : 0;
  }

  /** True when all that could leave now is an acknowledgement that may wait for company. */
  #mayWait(written: number): boolean {
    const user = this.#user;
    if (!this.mayDelayAcknowledgements || this.#end !== undefined || user === undefined) return false;
    if (written > 0 || this.#unsentBytes > 0) {
      const room = (user.sendCapacity() + written) * PAYLOAD_SHARE;
      this.#unsentBytes = Math.max(0, this.#unsentBytes + written - room);
      return false;
    }
    return !this.#mustTransmit && this.#packetsUnacknowledged < this.#host.acknowledgeEveryPackets;
  }

  #transmit(): void {
    const { socket } = this.#host;
    let packets = 0;
    try {
      for (; packets < MAX_PACKETS_PER_PUMP; packets += 1) {
        const out = this.native.send(socket.packet);
        if (out === null) break;
        const { to } = out[1];
        socket.send(out[0], to.port, to.host);
      }
    } catch (error) {
      this.#closeNative(CLOSE_CODES.LifecycleCleanup, 'cannot build packets');
      this.#finish({ by: 'quic', name: 'QUIC_SEND', detail: messageOf(error) });
    }
    this.#mustTransmit = packets === MAX_PACKETS_PER_PUMP;
    if (this.#mustTransmit) this.schedulePump();
    this.#packetsUnacknowledged = 0;
    this.#host.acknowledged(this);
    if (packets === 0) return;
    this.sentDatagrams += packets;
    this.lastSentMs = this.#host.nowMs();
  }

  #closeNative(code: number, reason: string): void {
    try {
      this.native.close(true, code, Buffer.from(reason.slice(0, 512)));
    } catch (error) {
      if (messageOf(error) !== 'Done') throw error; // it was closing already
    }
  }

  #observeEnd(): void {
    if (this.native.isClosed()) {
      this.#finish(this.#explainEnd());
      this.release();
    } else if (this.#end === undefined && this.native.isDraining()) {
      this.#finish(this.#explainEnd());
    }
  }

  #explainEnd(): CloseReason {
    if (this.native.isTimedOut()) return { by: 'silence', name: 'LivenessTimeout', detail: 'no packet came' };
    const peer = this.native.peerError();
    const error = peer ?? this.native.localError();
    if (error === null) return { by: 'quic', name: 'QUIC_CLOSED', detail: 'without a reason' };
    const text = Buffer.from(error.reason).toString('utf8');
    const name = error.isApp ? closeNameOf(error.errorCode) : undefined;
    if (peer !== null && name !== undefined) {
      return { by: 'them', name, detail: text.startsWith(`${name}: `) ? text.slice(name.length + 2) : text };
    }
    const kind = error.errorCode >= quiche.CRYPTO_ERROR_START && !error.isApp ? 'TLS' : 'QUIC';
    return { by: 'quic', name: `${kind}_${error.errorCode}`, detail: text };
  }

  #finish(reason: CloseReason): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    this.#user?.closed(reason);
  }

  /** Moves the timer only when it would fire too late; one that fires early looks again. */
  #armTimer(): void {
    if (this.#isReleased) return;
    const waitMs = this.native.timeout();
    if (waitMs === null) return;
    const dueMs = this.#host.nowMs() + waitMs + 1; // the binding cuts off parts of a millisecond
    if (dueMs >= this.#timerDueMs) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    this.#timer = setTimeout(this.#onTimer, waitMs + 1);
  }

  readonly #onTimer = (): void => {
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    if (this.#isReleased) return;
    if ((this.native.timeout() ?? 1) === 0) {
      this.native.onTimeout();
      this.#mustTransmit = true;
      this.pump();
    } else {
      this.#armTimer();
    }
  };
}
