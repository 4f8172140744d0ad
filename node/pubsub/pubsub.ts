import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Clock } from '../../kit/clock.ts';
import type { Random } from '../../kit/random.ts';
import type { Signing } from '../../kit/signing.ts';
import type { GossipDocument } from '../api/schema/gossip.ts';
import type { AgentId, PeerLink, Transport } from '../transport/transport.ts';
import { BatchSigner, PublishError } from './batch-signer.ts';
import { isGossipControl, kindOf } from './control-frame.ts';
import { CoreDriver } from './core-driver.ts';
import { eagerFrame, isEager } from './eager-frame.ts';
import { GossipCounters } from './gossip-counters.ts';
import { type GossipSources, gossipDocument } from './gossip-document.ts';
import { Inbound } from './inbound.ts';
import { LinkFollower } from './link-follower.ts';
import { LossReporter } from './loss-reporter.ts';
import { DEFAULT_MAX_PAYLOAD_BYTES, type MessageBody, messageId } from './message.ts';
import { MessageVerifier } from './message-verifier.ts';
import { OriginKeys } from './origin-keys.ts';
import { Outbound } from './outbound.ts';
import { PlumTree } from './plumtree.ts';
import { DEFAULT_PLUMTREE_LIMITS } from './plumtree-limits.ts';
import { ReceivePump } from './receive-pump.ts';
import { Strikes } from './strikes.ts';
import {
  type GossipMessage,
  type SubscriberTraits,
  type Subscription,
  Subscriptions,
} from './subscriptions.ts';
import { SUPERVISE_EVERY_MS } from './supervisor.ts';
import { checkTopic, isLocal } from './topic-name.ts';
import { WorkerSupervisor } from './worker-supervisor.ts';

export interface PubSubOptions {
  /** Largest payload published or accepted, bytes. */
  readonly maxPayloadBytes?: number;
  /** Messages that may wait to be signed; more are refused with `PUBLISH_QUEUE_FULL`. */
  readonly publishQueue?: number;
  readonly receiveQueue?: number;
  readonly watchdogMs?: number;
}

export interface PubSubModules {
  readonly transport: Transport;
  readonly agent: {
    readonly id: AgentId;
    readonly publicKey: Uint8Array;
    sign(message: Uint8Array): Promise<Uint8Array>;
  };
  readonly signing: Signing;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const MAX_PUBLISH_QUEUE_BYTES = 67_108_864;

/**
 * Publish and subscribe over the mesh. Every node relays every topic whether or not it subscribes, so there is no
 * interest to announce; a message reaches each node at least once and its subscribers exactly once. Topics that start
 * with `local:` stay in this process.
 */
export class PubSub {
  readonly #modules: PubSubModules;
  readonly #maxPayloadBytes: number;
  readonly #incarnation = randomBytes(8).toString('hex');
  readonly #core: PlumTree;
  readonly #counters = new GossipCounters();
  readonly #keys = new OriginKeys();
  readonly #strikes = new Strikes();
  readonly #subscriptions: Subscriptions;
  readonly #outbound: Outbound;
  readonly #driver: CoreDriver;
  readonly #inbound: Inbound;
  readonly #pump: ReceivePump;
  readonly #signer: BatchSigner;
  readonly #supervisor: WorkerSupervisor;
  readonly #losses: LossReporter;
  readonly #links: LinkFollower;
  readonly #sources: GossipSources;
  #seq = 0;
  #housekeeping: NodeJS.Timeout | undefined;

  constructor(options: PubSubOptions, modules: PubSubModules) {
    const { transport, clock, signing, agent, random, log } = modules;
    this.#modules = modules;
    this.#core = new PlumTree(DEFAULT_PLUMTREE_LIMITS, random.int(0, 1_023));
    this.#maxPayloadBytes = options.maxPayloadBytes ?? DEFAULT_MAX_PAYLOAD_BYTES;
    this.#subscriptions = new Subscriptions({ log });
    this.#outbound = new Outbound({
      transport,
      clock,
      tallies: this.#core.health.tallies,
      isSuspect: (peer) => this.#core.health.isSuspect(peer),
      stalled: (peer, topics) => this.#driver.run(this.#core.health.stalled(peer, topics, clock.nowMs())),
      gaveUp: (peer, message) => {
        this.#core.notSent(peer, message, clock.nowMs());
        this.#driver.rearm();
      },
    });
    this.#driver = new CoreDriver({ core: this.#core, outbound: this.#outbound, clock });
    this.#links = new LinkFollower({
      transport,
      clock,
      core: this.#core,
      driver: this.#driver,
      outbound: this.#outbound,
      keys: this.#keys,
    });
    this.#inbound = new Inbound(
      { maxPayloadBytes: this.#maxPayloadBytes },
      {
        clock,
        core: this.#core,
        driver: this.#driver,
        outbound: this.#outbound,
        verifier: new MessageVerifier({ signing }),
        keys: this.#keys,
        deliver: (message) => this.#deliverIncoming(message),
        strike: (link, why) => this.#strike(link, why),
      },
    );
    this.#pump = new ReceivePump(
      { capacity: options.receiveQueue ?? 10_000, watchdogMs: options.watchdogMs ?? 30_000 },
      {
        clock,
        handle: (job) => (isGossipControl(job.frame) ? this.#handleControl(job) : this.#handleEager(job)),
        failed: (link, error) =>
          log.error({ err: error, peer: link.peerId }, 'a gossip frame could not be handled'),
      },
    );
    this.#supervisor = new WorkerSupervisor({ pump: this.#pump, outbound: this.#outbound });
    this.#sources = {
      clock,
      core: this.#core,
      driver: this.#driver,
      inbound: this.#inbound,
      outbound: this.#outbound,
      pump: this.#pump,
      subscriptions: this.#subscriptions,
      counters: this.#counters,
      keys: this.#keys,
      startedMs: clock.nowMs(),
    };
    this.#losses = new LossReporter({ ...this.#sources, log });
    this.#signer = new BatchSigner(
      { maxQueued: options.publishQueue ?? 1_024, maxQueuedBytes: MAX_PUBLISH_QUEUE_BYTES },
      agent,
    );
  }

  /** Takes the frames of class `gossip` and follows the links; control frames come through `handleControlFrame`. */
  start(): void {
    const { transport, agent } = this.#modules;
    this.#keys.link(agent.id, agent.publicKey);
    transport.onFrame('gossip', (link, frame) => {
      this.#pump.offer(link, frame, 'kept');
      return this.#pump.pauseFor(link.peerId);
    });
    this.#links.start();
    this.#housekeeping = setInterval(() => this.#keepHouse(), SUPERVISE_EVERY_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#housekeeping);
    this.#links.stop();
    this.#signer.close();
    this.#pump.close();
    this.#driver.close();
    this.#outbound.close();
    this.#inbound.pending.clear();
    this.#subscriptions.clear();
  }

  /**
   * Signs `payload`, delivers it to this node's own subscribers and hands it to the outbound queues; never waits for
   * a peer. Leave `payload` unchanged until this resolves. With no link up it still succeeds, and is counted.
   * @throws PublishError `PUBLISH_QUEUE_FULL` (503), `PUBSUB_STOPPED`, `PUBLISH_NOT_SIGNED`
   * @throws MeshproofError `TOPIC_INVALID`, `PAYLOAD_TOO_LARGE`; the signal's reason when it aborts in the queue
   */
  async publish(topic: string, payload: Uint8Array, signal?: AbortSignal): Promise<{ messageId: string }> {
    try {
      signal?.throwIfAborted();
      this.#checkPublish(topic, payload);
      this.#seq += 1;
      const { id: origin } = this.#modules.agent;
      const body = { origin, incarnation: this.#incarnation, seq: this.#seq, topic, payload };
      const id = messageId(body);
      if (!isLocal(topic)) await this.#spread(id, body, signal);
      this.#counters.publishTotal += 1;
      const receivedAtUnixMs = this.#modules.clock.wallMs();
      this.#subscriptions.deliver({
        messageId: id,
        topic,
        payload,
        origin,
        seq: body.seq,
        hops: 0,
        receivedAtUnixMs,
      });
      return { messageId: id };
    } catch (error) {
      this.#counters.publishFailed += 1;
      throw error;
    }
  }

  /**
   * Calls `deliver` for each message of `topic`, own ones included, until cancelled. `deliver` must not block; what
   * it throws is logged and counted.
   * @throws MeshproofError `TOPIC_INVALID`, `SUBSCRIPTIONS_FULL`
   */
  subscribe(
    topic: string,
    deliver: (message: GossipMessage) => void,
    traits: SubscriberTraits = {},
  ): Subscription {
    checkTopic(topic);
    return this.#subscriptions.add(topic, deliver, traits);
  }

  /** Takes a frame of class `control` if it is gossip's (first byte 0x10 to 0x40); false when it is someone else's. */
  handleControlFrame(link: PeerLink, frame: Uint8Array): boolean {
    if (isEager(frame)) {
      this.#pump.offer(link, frame, 'kept'); // of a critical topic; see Outbound
      return true;
    }
    if (!isGossipControl(frame)) return false;
    const kind = kindOf(frame);
    if (kind === 'echo' || kind === 'echoed') {
      void this.#handleControl({ link, frame }); // at once: what waits in our queue is no fault of the link
      return true;
    }
    // What can be said again later is shed under pressure; the shape of the tree and keys are not.
    const isKept = kind === 'graft' || kind === 'prune' || kind === 'keyWant' || kind === 'key';
    this.#pump.offer(link, frame, isKept ? 'kept' : 'shed');
    return true;
  }

  /** The owner of a subscriber's queue had to drop `events` of them; behind `slow_subscriber_dropped`. */
  recordSlowSubscriberDrops(events: number): void {
    this.#counters.slowSubscriberDrops += events;
  }

  diagnostics(): GossipDocument {
    return gossipDocument(this.#sources);
  }

  async #spread(id: string, body: MessageBody, signal: AbortSignal | undefined): Promise<void> {
    const proof = await this.#signer.proofFor(id, body.payload.length, signal);
    const frame = eagerFrame({ hops: 1, ageMs: 0 }, { ...body, id, proof });
    const nowMs = this.#modules.clock.nowMs();
    const { topic, origin } = body;
    const effects = this.#core.published({ id, topic, origin, hops: 0, bornAtMs: nowMs, frame }, nowMs);
    const offered = effects.reduce((sum, one) => sum + (one.type === 'push' ? one.peers.length : 0), 0);
    this.#counters.fannedOut(topic, offered, this.#driver.run(effects));
  }

  #checkPublish(topic: string, payload: Uint8Array): void {
    checkTopic(topic);
    if (payload.length > this.#maxPayloadBytes) {
      const details = { payload_bytes: payload.length, max_payload_bytes: this.#maxPayloadBytes };
      const message = `the payload has ${payload.length} bytes, at most ${this.#maxPayloadBytes} are allowed`;
      throw new PublishError('PAYLOAD_TOO_LARGE', message, { details });
    }
  }

  #handleEager(
    job: Parameters<Inbound['handleEager']>[0] & { readonly signal: AbortSignal },
  ): void | Promise<void> {
    this.#counters.messageKinds.eager += 1;
    return this.#inbound.handleEager(job, job);
  }

  #handleControl(job: Parameters<Inbound['handleControl']>[0]): void | Promise<void> {
    this.#counters.inboundControl(job.frame);
    return this.#inbound.handleControl(job);
  }

  #deliverIncoming(message: GossipMessage): void {
    if (this.#subscriptions.isWanted(message.topic)) this.#counters.incomingWanted += 1;
    this.#subscriptions.deliver(message);
  }

  #strike(link: PeerLink, why: string): void {
    const { transport, clock, log } = this.#modules;
    log.warn({ peer: link.peerId, why }, 'a peer sent gossip that no honest node sends');
    if (this.#strikes.strike(link.peerId, clock.nowMs())) transport.closeLink(link.peerId, 'Banned');
  }

  #keepHouse(): void {
    const nowMs = this.#modules.clock.nowMs();
    this.#links.measure();
    this.#inbound.expire(nowMs);
    this.#supervisor.supervise(nowMs);
    this.#losses.report(nowMs);
  }
}
