import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Clock } from '../../kit/clock.ts';
import type { AckDocument } from '../api/schema/ack.ts';
import type { DmDocument } from '../api/schema/dm.ts';
import type { AgentId, LinkPath, PeerId, Transport } from '../transport/transport.ts';
import { AckStats } from './ack-stats.ts';
import { Delivery, type DeliveryLimits, type DirectListener } from './delivery.ts';
import { DmStats } from './dm-stats.ts';
import { LinkWatch } from './link-watch.ts';
import { loopBack } from './loopback.ts';
import { DirectReceiver } from './receive.ts';
import { DirectSendError } from './send-error.ts';
import {
  type DirectReceipt,
  type DirectSendOptions,
  refuseOversized,
  refuseUnsupported,
} from './send-options.ts';
import { DirectSender } from './sender.ts';

export interface DirectMessagesOptions extends Partial<DeliveryLimits> {
  /** Capacity of each client's event queue, as the API makes it; shown in diagnostics. */
  readonly subscriberCapacity?: number;
  readonly replayEntries?: number;
}

export interface DirectMessagesModules {
  readonly transport: Transport;
  readonly agentId: AgentId;
  readonly machineId: PeerId;
  readonly clock: Clock;
  /** Makes 32 hex characters, never the same twice, not even after a restart: a reused id is taken for a repetition. */
  readonly freshRequestId?: () => string;
  readonly log: Pick<Logger, 'error' | 'warn'>;
  /** Tries to bring the link to a known peer back; waited for no longer than a send's budget allows. */
  readonly ensureLink?: (peerId: PeerId, signal: AbortSignal) => Promise<unknown>;
  /** How a live link does now. Without it a dead path is only found by the transport's idle timeout. */
  readonly pathTo?: (peerId: PeerId) => LinkPath | undefined;
}

const DELIVERY_LIMITS: DeliveryLimits = {
  maxMessages: 10_000,
  maxBytes: 64 * 1024 * 1024,
  maxAgeMs: 120_000, // how long senders may repeat a request; see `replay-cache.ts`
  admissionMs: 100,
};

/**
 * Direct messages with receipts: loopback to ourselves, otherwise a request on the live connection that the peer
 * acknowledges when it has admitted the message. Takes the transport's one request handler when started.
 */
export class DirectMessages {
  readonly #options: DirectMessagesOptions;
  readonly #modules: DirectMessagesModules;
  readonly #ackStats = new AckStats();
  readonly #dmStats = new DmStats();
  readonly #delivery: Delivery;
  readonly #receiver: DirectReceiver;
  readonly #calls = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();
  #sender: DirectSender | null = null;
  #watch: LinkWatch | null = null;

  constructor(options: DirectMessagesOptions, modules: DirectMessagesModules) {
    this.#options = options;
    this.#modules = modules;
    const { clock, log } = modules;
    this.#delivery = new Delivery(
      { ...DELIVERY_LIMITS, ...options },
      { clock, log, onDelivered: () => this.#dmStats.count('incoming_delivered_to_subscribe') },
    );
    this.#receiver = new DirectReceiver(
      options.replayEntries === undefined ? {} : { maxEntries: options.replayEntries },
      { clock, delivery: this.#delivery, ackStats: this.#ackStats, dmStats: this.#dmStats },
    );
  }

  start(): void {
    const { transport } = this.#modules;
    this.#watch = new LinkWatch(transport);
    this.#sender = new DirectSender({ ...this.#modules, watch: this.#watch, ackStats: this.#ackStats });
    transport.onRequest((link, body, signal) => this.#receiver.answer(link, body, signal));
  }

  /** Refuses new work, ends what is under way, and waits for it. Peers that still send are told "closing". */
  async stop(): Promise<void> {
    this.#receiver.close();
    this.#delivery.close();
    this.#stopping.abort(
      new DirectSendError('no_connectivity', 'the node is stopping; send again when it is back'),
    );
    await Promise.allSettled(this.#calls);
    this.#watch?.close();
    this.#sender = null;
  }

  /**
   * Sends `payload` to an agent and gives the receipt. Never takes longer than `deadlineMs`. Throws `DirectSendError`
   * (its codes are the machine codes of `/direct/send`), or the reason of `signal`.
   */
  async send(
    agentId: AgentId,
    payload: Uint8Array,
    options: DirectSendOptions,
    signal: AbortSignal,
  ): Promise<DirectReceipt> {
    const { clock } = this.#modules;
    this.#dmStats.sendStarted();
    const call = this.#call(agentId, payload, options, signal);
    this.#calls.add(call);
    try {
      const receipt = await call;
      this.#dmStats.sendSucceeded(agentId, receipt.path, receipt.latencyMs, clock.nowMs());
      return receipt;
    } catch (error) {
      this.#dmStats.sendFailed(agentId, clock.nowMs());
      throw error;
    } finally {
      this.#calls.delete(call);
    }
  }

  /** Calls back for every admitted message, in order; a promise that the listener gives is waited for. */
  subscribe(listener: DirectListener): () => void {
    return this.#delivery.subscribe(listener);
  }

  /** To be told by whoever keeps a queue per client: how many events had to make room in it. */
  subscriberEvicted(events: number): void {
    this.#dmStats.count('subscriber_events_evicted', events);
  }

  connections(): readonly { readonly agentId: AgentId; readonly machineId: PeerId }[] {
    return this.#modules.transport.links().map(({ agentId, peerId }) => ({ agentId, machineId: peerId }));
  }

  diagnostics(): DmDocument {
    return this.#dmStats.document({
      nowMs: this.#modules.clock.nowMs(),
      connectedPeers: this.#modules.transport.links().length,
      subscribers: this.#delivery.subscriberCount,
      subscriberCapacity: this.#options.subscriberCapacity ?? 8_192,
      expiredTotal: this.#delivery.expiredTotal,
    });
  }

  ackDiagnostics(): AckDocument {
    return this.#ackStats.document(this.#modules.clock.wallMs());
  }

  async #call(
    agentId: AgentId,
    payload: Uint8Array,
    options: DirectSendOptions,
    signal: AbortSignal,
  ): Promise<DirectReceipt> {
    signal.throwIfAborted();
    this.#stopping.signal.throwIfAborted();
    if (this.#sender === null)
      throw new DirectSendError('no_connectivity', 'direct messages are not started');
    refuseUnsupported(options);
    refuseOversized(payload);
    const requestId = (this.#modules.freshRequestId ?? freshRequestId)();
    if (agentId === this.#modules.agentId) {
      const receipt = await loopBack(
        { ...this.#modules, delivery: this.#delivery },
        requestId,
        payload,
        options,
      );
      this.#dmStats.received(agentId, this.#modules.clock.nowMs());
      return receipt;
    }
    const ending = new AbortController();
    const onCaller = () => ending.abort(signal.reason);
    const onStop = () => ending.abort(this.#stopping.signal.reason);
    signal.addEventListener('abort', onCaller, { once: true });
    this.#stopping.signal.addEventListener('abort', onStop, { once: true });
    try {
      return await this.#sender.send(agentId, { requestId, payload }, options, ending.signal);
    } finally {
      signal.removeEventListener('abort', onCaller);
      this.#stopping.signal.removeEventListener('abort', onStop);
    }
  }
}

function freshRequestId(): string {
  return randomBytes(16).toString('hex'); // not from a seed, which a second start might share
}
