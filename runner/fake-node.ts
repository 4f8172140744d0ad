import { EventEmitter, on } from 'node:events';
import { sha256Hex } from '../kit/hash.ts';
import { type DirectEvent, NodeHttpError, type TopicEvent } from '../node/client.ts';
import type { NodeApi } from './node-api.ts';

/** Nodes that reach each other in memory: for tests of whatever speaks to a node's API. */
export class FakeMesh {
  readonly nodes = new Map<string, FakeNode>();

  add(name: string): FakeNode {
    const node = new FakeNode(name, this);
    this.nodes.set(node.agentId, node);
    return node;
  }
}

/** One node of a `FakeMesh`. Tests reach in: break streams, restart, forge, lose, double and damage messages. */
export class FakeNode implements NodeApi {
  readonly agentId: string;
  readonly machineId: string;
  readonly #mesh: FakeMesh;
  readonly #direct = new EventEmitter();
  readonly #events = new EventEmitter();
  readonly subscriptions = new Map<string, string>();
  #lastSubscription = 0;
  /** Thrown by the next calls of `directSend`, first first. */
  readonly sendFailures: Error[] = [];
  readonly publishFailures: Error[] = [];
  directSends = 0;
  /** What subscribers of this node get for one published payload. */
  reception: (payload: Uint8Array) => readonly Uint8Array[] = (payload) => [payload];
  down: Error | undefined;

  constructor(name: string, mesh: FakeMesh) {
    this.agentId = sha256Hex(`agent ${name}`);
    this.machineId = sha256Hex(`machine ${name}`);
    this.#mesh = mesh;
  }

  async agent() {
    if (this.down) throw this.down;
    const { agentId: agent_id, machineId: machine_id } = this;
    return { ok: true as const, agent_id, machine_id, user_id: null, kem_public_key_b64: null };
  }

  async publish(topic: string, payload: Uint8Array): Promise<string | null> {
    const failure = this.publishFailures.shift() ?? this.down;
    if (failure) throw failure;
    for (const node of this.#mesh.nodes.values()) {
      for (const received of node.reception(payload)) node.deliver(topic, received, this.agentId);
    }
    return null;
  }

  async subscribe(topic: string): Promise<string> {
    if (this.down) throw this.down;
    this.#lastSubscription += 1;
    const id = this.#lastSubscription.toString(16).padStart(16, '0');
    this.subscriptions.set(id, topic);
    return id;
  }

  async unsubscribe(id: string): Promise<void> {
    if (this.subscriptions.delete(id)) return;
    throw new NodeHttpError('DELETE /subscribe', 404, 'unknown subscription', {});
  }

  async directSend(message: Parameters<NodeApi['directSend']>[0]) {
    this.directSends += 1;
    const failure = this.sendFailures.shift() ?? this.down;
    if (failure) throw failure;
    const recipient = this.#mesh.nodes.get(message.agent_id);
    if (!recipient) throw new NodeHttpError('POST /direct/send', 404, 'recipient_key_unavailable', {});
    recipient.receiveDirect({ from: this, payload: message.payload, verified: true });
    return {
      ok: true as const,
      path: recipient === this ? ('loopback' as const) : ('raw_quic_acked' as const),
      retries_used: 0,
      request_id: '0'.repeat(32),
      require_ack: null,
    };
  }

  async directEvents({ signal }: { signal?: AbortSignal } = {}): Promise<AsyncIterable<DirectEvent>> {
    return this.#stream<DirectEvent>(this.#direct, signal);
  }

  async events({ signal }: { signal?: AbortSignal } = {}): Promise<AsyncIterable<TopicEvent>> {
    return this.#stream<TopicEvent>(this.#events, signal);
  }

  async close(): Promise<void> {}

  /** A direct message arrives here. */
  receiveDirect(message: {
    readonly from: FakeNode;
    readonly payload: Uint8Array;
    readonly verified: boolean;
  }): void {
    const { from, payload, verified } = message;
    const event: DirectEvent = {
      event: 'direct_message',
      data: {
        sender: from.agentId,
        machine_id: from.machineId,
        payload: Buffer.from(payload).toString('base64'),
        received_at: Date.now(),
        verified,
        trust_decision: 'Accept',
      },
    };
    this.#direct.emit('event', event);
  }

  deliver(topic: string, payload: Uint8Array, sender: string): void {
    for (const [subscription_id, subscribed] of this.subscriptions) {
      if (subscribed !== topic) continue;
      const data = { subscription_id, topic, payload: Buffer.from(payload).toString('base64') };
      const event: TopicEvent = {
        event: 'message',
        data: { type: 'message', data: { ...data, sender, verified: true, trust_level: null } },
      };
      this.#events.emit('event', event);
    }
  }

  breakStreams(): void {
    this.#direct.emit('end');
    this.#events.emit('end');
  }

  /** Forgets every subscription and ends the streams, as a restarted process does; ids begin anew. */
  restart(): void {
    this.subscriptions.clear();
    this.#lastSubscription = 0;
    this.breakStreams();
  }

  #stream<T>(emitter: EventEmitter, signal: AbortSignal | undefined): AsyncIterable<T> {
    if (this.down) throw this.down;
    const options = { close: ['end'], ...(signal ? { signal } : {}) };
    const arrivals = on(emitter, 'event', options); // listens from now on, whenever it is read
    return {
      async *[Symbol.asyncIterator](): AsyncGenerator<T> {
        for await (const [event] of { [Symbol.asyncIterator]: () => arrivals }) yield event;
      },
    };
  }
}
