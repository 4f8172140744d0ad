import type { Pool } from 'undici';
import type * as z from 'zod';
import { type HttpTunnel, httpPool } from '../kit/http-pool.ts';
import {
  type DirectSendBody,
  type DirectSendRequest,
  directConnectionsBodySchema,
  directSendBodySchema,
} from './api/schema/direct-send.ts';
import { DOCUMENT_BODIES, DOCUMENT_PATHS, type NodeDocumentName } from './api/schema/documents.ts';
import { okSchema } from './api/schema/envelope.ts';
import {
  type AppendLogBody,
  appendLogBodySchema,
  type LogHeadBody,
  logHeadBodySchema,
} from './api/schema/log.ts';
import {
  directMessageEventSchema,
  messageEventSchema,
  peerEventSchema,
  peerLifecycleEventSchema,
  publishBodySchema,
  subscribeBodySchema,
} from './api/schema/messages.ts';
import {
  type AgentBody,
  agentBodySchema,
  type HealthBody,
  healthBodySchema,
  type NetworkStatusBody,
  networkStatusBodySchema,
  type PeersBody,
  peersBodySchema,
  type StatusBody,
  shutdownBodySchema,
  statusBodySchema,
} from './api/schema/status.ts';
import { parseBody } from './client/body.ts';
import { type NodeEvent, readEvents } from './client/events.ts';
import { type CallOptions, HttpExchange } from './client/exchange.ts';

export { NodeHttpError } from './client/errors.ts';
export type { CallOptions } from './client/exchange.ts';

const DEFAULT_TIMEOUT_MS = 15_000; // the outermost of the nested budgets
const MAX_CONNECTIONS = 64;

export interface NodeClientOptions {
  /** `http://127.0.0.1:12700`. */
  readonly baseUrl: string;
  readonly token: string;
  /** For every call that does not name its own; 15 s when absent. */
  readonly timeoutMs?: number;
  /** The way there when it is not TCP from here. */
  readonly tunnel?: HttpTunnel | undefined;
}

type DocumentBody<Name extends NodeDocumentName> = z.infer<(typeof DOCUMENT_BODIES)[Name]>;

/** A document as it was served: parsed, and as the exact text, since raw bytes are evidence. */
export interface ServedDocument<Name extends NodeDocumentName> {
  readonly name: Name;
  readonly body: DocumentBody<Name>;
  /** Strict UTF-8 of the bytes received: encoding it again gives them back. */
  readonly text: string;
}

const DOCUMENT_SCHEMAS: { readonly [Name in NodeDocumentName]: z.ZodType<DocumentBody<Name>> } =
  DOCUMENT_BODIES;

const TOPIC_EVENTS = {
  message: messageEventSchema,
  'peer:connected': peerEventSchema,
  'peer:disconnected': peerEventSchema,
} as const;
const DIRECT_EVENTS = { direct_message: directMessageEventSchema } as const;
const PEER_EVENTS = { 'peer-lifecycle': peerLifecycleEventSchema } as const;

type DataOf<Schemas extends Readonly<Record<string, z.ZodType>>> = {
  [Name in keyof Schemas]: z.infer<Schemas[Name]>;
};
export type TopicEvent = NodeEvent<DataOf<typeof TOPIC_EVENTS>>;
export type DirectEvent = NodeEvent<DataOf<typeof DIRECT_EVENTS>>;
export type PeerEvent = NodeEvent<DataOf<typeof PEER_EVENTS>>;

/**
 * The one typed client of a node's API. Every body is parsed: keys it does not know are let go, missing or misshapen
 * ones are `NODE_BAD_BODY`. Every call has a deadline and may be aborted. One keep-alive pool; `close` ends it.
 *
 * Every method throws `NodeError`: `NODE_UNREACHABLE`, `NODE_TIMEOUT`, `NODE_HTTP_ERROR`, `NODE_BAD_BODY`; and the
 * reason of `signal` when the caller aborts. What a `tunnel` fails with (a `FaultError`) says nothing about the node and
 * is thrown as it is.
 */
export class NodeClient {
  readonly baseUrl: string;
  readonly #pool: Pool;
  readonly #http: HttpExchange;

  constructor({ baseUrl, token, timeoutMs = DEFAULT_TIMEOUT_MS, tunnel }: NodeClientOptions) {
    this.baseUrl = baseUrl;
    this.#pool = httpPool(baseUrl, MAX_CONNECTIONS, tunnel);
    this.#http = new HttpExchange({ pool: this.#pool, baseUrl, token, timeoutMs });
  }

  health(options?: CallOptions): Promise<HealthBody> {
    return this.#http.json('GET', '/health', healthBodySchema, options);
  }

  agent(options?: CallOptions): Promise<AgentBody> {
    return this.#http.json('GET', '/agent', agentBodySchema, options);
  }

  status(options?: CallOptions): Promise<StatusBody> {
    return this.#http.json('GET', '/status', statusBodySchema, options);
  }

  peers(options?: CallOptions): Promise<PeersBody> {
    return this.#http.json('GET', '/peers', peersBodySchema, options);
  }

  networkStatus(options?: CallOptions): Promise<NetworkStatusBody> {
    return this.#http.json('GET', '/network/status', networkStatusBodySchema, options);
  }

  /** One diagnostics document, or `health`, parsed and raw. */
  async document<Name extends NodeDocumentName>(
    name: Name,
    options?: CallOptions,
  ): Promise<ServedDocument<Name>> {
    const call = `GET ${DOCUMENT_PATHS[name]}`;
    const text = await this.#http.text('GET', DOCUMENT_PATHS[name], undefined, options);
    return { name, body: parseBody(call, text, DOCUMENT_SCHEMAS[name]), text };
  }

  /** Gives the message id, or null when the node does not tell. */
  async publish(topic: string, payload: Uint8Array, options?: CallOptions): Promise<string | null> {
    const body = { topic, payload: Buffer.from(payload).toString('base64') };
    const { message_id } = await this.#http.json('POST', '/publish', publishBodySchema, options, body);
    return message_id ?? null;
  }

  /** Gives the subscription id; its messages arrive on `events`. */
  async subscribe(topic: string, options?: CallOptions): Promise<string> {
    const body = await this.#http.json('POST', '/subscribe', subscribeBodySchema, options, { topic });
    return body.subscription_id;
  }

  async unsubscribe(subscriptionId: string, options?: CallOptions): Promise<void> {
    await this.#http.json('DELETE', `/subscribe/${encodeURIComponent(subscriptionId)}`, okSchema, options);
  }

  /** Sends a direct message and waits for its receipt. */
  directSend(
    message: Omit<DirectSendRequest, 'payload'> & { readonly payload: Uint8Array },
    options?: CallOptions,
  ): Promise<DirectSendBody> {
    const body = { ...message, payload: Buffer.from(message.payload).toString('base64') };
    return this.#http.json('POST', '/direct/send', directSendBodySchema, options, body);
  }

  directConnections(options?: CallOptions): Promise<z.infer<typeof directConnectionsBodySchema>> {
    return this.#http.json('GET', '/direct/connections', directConnectionsBodySchema, options);
  }

  /** Appends an entry to the topic's replicated log; gives its head with the entry. */
  appendLog(topic: string, payload: Uint8Array, options?: CallOptions): Promise<AppendLogBody> {
    const body = { payload: Buffer.from(payload).toString('base64') };
    return this.#http.json('POST', `${logPath(topic)}/entries`, appendLogBodySchema, options, body);
  }

  /** Height and head hash of the topic's replicated log; height 0 for a topic that nobody wrote to. */
  logHead(topic: string, options?: CallOptions): Promise<LogHeadBody> {
    return this.#http.json('GET', logPath(topic), logHeadBodySchema, options);
  }

  async shutdown(options?: CallOptions): Promise<void> {
    await this.#http.json('POST', '/shutdown', shutdownBodySchema, options);
  }

  /** Opens `/events`. Resolves when attached; iterating ends with the stream. Reconnecting is the caller's. */
  async events(options?: CallOptions): Promise<AsyncIterable<TopicEvent>> {
    return readEvents('/events', await this.#http.stream('/events', options), TOPIC_EVENTS);
  }

  /** Opens `/direct/events`; see `events`. */
  async directEvents(options?: CallOptions): Promise<AsyncIterable<DirectEvent>> {
    return readEvents('/direct/events', await this.#http.stream('/direct/events', options), DIRECT_EVENTS);
  }

  /** Opens `/peers/events`; see `events`. */
  async peerEvents(options?: CallOptions): Promise<AsyncIterable<PeerEvent>> {
    return readEvents('/peers/events', await this.#http.stream('/peers/events', options), PEER_EVENTS);
  }

  /** Ends the pool, with whatever is still open on it. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

function logPath(topic: string): string {
  return `/logs/${encodeURIComponent(topic)}`;
}
