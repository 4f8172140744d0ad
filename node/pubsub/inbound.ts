import type { Clock } from '../../kit/clock.ts';
import { messageOf } from '../../kit/errors.ts';
import type { AgentId, PeerLink } from '../transport/transport.ts';
import { type ControlFrame, decodeControl, encodeControl } from './control-frame.ts';
import type { CoreDriver } from './core-driver.ts';
import { type EagerHeader, messageBytes, readEagerHeader, rewriteHeader } from './eager-frame.ts';
import { readMessage, type SignedMessage } from './message.ts';
import type { MessageVerifier } from './message-verifier.ts';
import type { OriginKeys } from './origin-keys.ts';
import type { Outbound } from './outbound.ts';
import { type Copy, PendingMessages } from './pending-messages.ts';
import type { PlumTree } from './plumtree.ts';
import type { Job } from './receive-pump.ts';
import { StageTiming } from './stage-timing.ts';
import type { GossipMessage } from './subscriptions.ts';

interface InboundModules {
  readonly clock: Clock;
  readonly core: PlumTree;
  readonly driver: CoreDriver;
  readonly outbound: Outbound;
  readonly verifier: MessageVerifier;
  readonly keys: OriginKeys;
  readonly deliver: (message: GossipMessage) => void;
  /** A frame that no honest peer sends. */
  readonly strike: (link: PeerLink, why: string) => void;
}

const NEVER = new AbortController().signal;

/**
 * What becomes of a frame from the wire. A copy of a known message costs a look at its header. Anything else is
 * parsed, its id recomputed, its signature checked once however many copies arrive together, and only then is it
 * seen, forwarded and delivered.
 */
export class Inbound {
  readonly #modules: InboundModules;
  readonly #maxPayloadBytes: number;
  readonly pending = new PendingMessages();
  readonly decode = new StageTiming();
  readonly verify = new StageTiming();
  readonly dedupe = new StageTiming();
  readonly counts = { messages: 0, verified: 0, malformed: 0, forged: 0 };

  constructor(options: { readonly maxPayloadBytes: number }, modules: InboundModules) {
    this.#maxPayloadBytes = options.maxPayloadBytes;
    this.#modules = modules;
  }

  handleControl({ link, frame }: Pick<Job, 'link' | 'frame'>): void | Promise<void> {
    const { clock, core, driver } = this.#modules;
    let control: ControlFrame;
    try {
      control = decodeControl(frame);
    } catch (error) {
      return this.#malformed(link, error);
    }
    if (control.kind === 'keyWant') this.#giveKey(link, control.agentId);
    else if (control.kind === 'key') return this.#takeKey(control.publicKey);
    else driver.run(core.control(link.peerId, control, clock.nowMs()));
  }

  handleEager({ link, frame }: Pick<Job, 'link' | 'frame'>, job?: Pick<Job, 'signal'>): void | Promise<void> {
    const { clock, core, driver } = this.#modules;
    const startedMs = clock.nowMs();
    let header: EagerHeader;
    try {
      header = readEagerHeader(frame);
    } catch (error) {
      return this.#malformed(link, error);
    }
    if (core.has(header.id)) {
      driver.run(core.duplicate(link.peerId, header.id, startedMs));
      this.dedupe.record(clock.nowMs() - startedMs);
      return;
    }
    const place = this.pending.add(header.id, { link, frame });
    this.dedupe.record(clock.nowMs() - startedMs);
    if (place === 'waits') this.#alsoAskForKey(link, header.id);
    if (place !== 'first') return;
    return this.#check({ link, frame }, header, job);
  }

  /** Gives up on messages whose origin's key did not come in time. */
  expire(nowMs: number): void {
    for (const id of this.pending.expire(nowMs)) this.#modules.core.abandoned(id, nowMs);
  }

  #check(
    { link, frame }: Copy,
    header: EagerHeader,
    job: Pick<Job, 'signal'> | undefined,
  ): void | Promise<void> {
    const { clock, core, keys, verifier } = this.#modules;
    const startedMs = clock.nowMs();
    this.counts.messages += 1;
    let message: SignedMessage;
    try {
      message = readMessage(messageBytes(frame), this.#maxPayloadBytes);
    } catch (error) {
      this.#malformed(link, error);
      return this.#tryNext(header.id);
    }
    this.decode.record(clock.nowMs() - startedMs);
    if (message.id !== header.id) {
      this.#malformed(link, new Error('the id does not fit the message'));
      return this.#tryNext(header.id);
    }
    core.arriving(message.id, startedMs);
    const key = keys.get(message.origin);
    if (!key) {
      this.pending.wantsKey(message.id, message.origin, startedMs);
      this.#askForKey(link, message.origin);
      return;
    }
    const result = verifier.verify(message, key);
    if (typeof result === 'boolean')
      return this.#decided({ link, frame }, { header, message, isGood: result });
    return this.#await(result, { link, frame }, { header, message, signal: job?.signal ?? NEVER });
  }

  async #await(
    result: Promise<boolean>,
    copy: Copy,
    { header, message, signal }: { header: EagerHeader; message: SignedMessage; signal: AbortSignal },
  ): Promise<void> {
    const startedMs = this.#modules.clock.nowMs();
    const drop = () => {
      this.pending.settle(message.id);
      this.#modules.core.abandoned(message.id, this.#modules.clock.nowMs());
    };
    signal.addEventListener('abort', drop, { once: true });
    try {
      const isGood = await result;
      if (signal.aborted) return; // the watchdog has given this message up
      this.verify.record(this.#modules.clock.nowMs() - startedMs);
      await this.#decided(copy, { header, message, isGood });
    } catch (error) {
      drop();
      throw error;
    } finally {
      signal.removeEventListener('abort', drop);
    }
  }

  #decided(
    { link, frame }: Copy,
    { header, message, isGood }: { header: EagerHeader; message: SignedMessage; isGood: boolean },
  ): void | Promise<void> {
    const { clock, core, driver, deliver, strike } = this.#modules;
    if (!isGood) {
      this.counts.forged += 1;
      strike(link, 'a signature that does not verify');
      return this.#tryNext(header.id);
    }
    this.counts.verified += 1;
    const nowMs = clock.nowMs();
    const { id, topic, origin, seq } = message;
    const { hops } = header;
    // The one copy of the message: it outlives the transport's buffer, and serves the cache, peers and subscribers.
    const forward = rewriteHeader(frame, { hops: hops + 1, ageMs: header.ageMs });
    const held = { id, topic, origin, hops, bornAtMs: nowMs - header.ageMs, frame: forward };
    driver.run(core.received(link.peerId, held, nowMs));
    for (const late of this.pending.settle(id)) driver.run(core.duplicate(late.link.peerId, id, nowMs));
    const payload = forward
      .subarray(message.payload.byteOffset - frame.byteOffset)
      .subarray(0, message.payload.length);
    deliver({ messageId: id, topic, payload, origin, seq, hops, receivedAtUnixMs: clock.wallMs() });
  }

  /** A copy was bad: the ones that waited behind it are handled as if they came now. */
  #tryNext(id: string): void | Promise<void> {
    this.#modules.core.abandoned(id, this.#modules.clock.nowMs());
    return this.#handleAll(this.pending.settle(id));
  }

  #handleAll(copies: readonly Copy[]): void | Promise<void> {
    const waits = copies.map((copy) => this.handleEager(copy)).filter((wait) => wait !== undefined);
    if (waits.length > 0) return Promise.all(waits).then(() => {});
  }

  #malformed(link: PeerLink, error: unknown): void {
    this.counts.malformed += 1;
    this.#modules.strike(link, messageOf(error));
  }

  #alsoAskForKey(link: PeerLink, id: string): void {
    const agentId = this.pending.keyWanted(id);
    if (agentId !== undefined) this.#askForKey(link, agentId);
  }

  #askForKey(link: PeerLink, agentId: AgentId): void {
    const { keys, outbound, clock } = this.#modules;
    if (!keys.want(agentId, link.peerId, clock.nowMs())) return;
    outbound.sendControl(link.peerId, encodeControl({ kind: 'keyWant', agentId }));
  }

  #giveKey(link: PeerLink, agentId: AgentId): void {
    const publicKey = this.#modules.keys.get(agentId);
    if (publicKey) this.#modules.outbound.sendControl(link.peerId, encodeControl({ kind: 'key', publicKey }));
  }

  #takeKey(publicKey: Uint8Array): void | Promise<void> {
    const agentId = this.#modules.keys.learn(publicKey);
    if (agentId !== undefined) return this.#handleAll(this.pending.takeWaitingFor(agentId));
  }
}
