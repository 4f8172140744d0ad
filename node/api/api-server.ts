import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type FastifyInstance, fastify } from 'fastify';
import { BearerCheck, loadToken } from '../../kit/bearer-token.ts';
import { endBadHttp } from '../../kit/end-bad-http.ts';
import { codeOf, FaultError, UsageError } from '../../kit/errors.ts';
import { NO_HTTP_SCHEMAS } from '../../kit/no-http-schemas.ts';
import { isLoopback } from '../transport/addresses.ts';
import type { SocketAddress } from '../transport/transport.ts';
import { formatAddress } from './address.ts';
import { errorReply } from './error-reply.ts';
import { EventStreams } from './event-streams.ts';
import { diagnosticsRoutes } from './routes/diagnostics.ts';
import { directRoutes } from './routes/direct.ts';
import { logRoutes } from './routes/logs.ts';
import { pubsubRoutes } from './routes/pubsub.ts';
import { statusRoutes } from './routes/status.ts';
import { UNAUTHORIZED_BODY } from './schema/envelope.ts';
import { MAX_PAYLOAD_BYTES } from './schema/messages.ts';
import type { ApiServices } from './services.ts';
import { SSE_BUDGET_BYTES } from './sse-budget.ts';
import { Subscriptions } from './subscriptions.ts';

const BODY_LIMIT_BYTES = Math.ceil(MAX_PAYLOAD_BYTES / 3) * 4 + 64 * 1024; // base64, and room for the other fields
const KEEP_ALIVE_MS = 75_000; // longer than clients keep an idle connection, so that none is closed under a request
const MAX_CONNECTIONS = 256;
// A request that stands half open holds one of those connections: heads are small, bodies may be 22 MB over a tunnel.
const HEAD_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const TIMEOUT_CHECK_MS = 1_000;
const OPEN_PATHS: ReadonlySet<string> = new Set(['/health']);
const MAX_PARAM_LENGTH = 1_024; // a topic of 256 bytes, each as %XX, and some
const PORT_FILE = 'api.port';
const TOKEN_FILE = 'api-token';

interface ApiOptions {
  /** Loopback only. Port 0 picks one. */
  readonly bind: SocketAddress;
  readonly dataDir: string;
  readonly log: { warn(details: object, message: string): void };
}

/** Load and refusals of the API, for `/diagnostics/runtime`. */
export interface ApiStats {
  readonly sseClients: number;
  readonly sseQueuedBytes: number;
  readonly sseEventsEvictedTotal: number;
  readonly requestsTotal: number;
  readonly unauthorizedTotal: number;
  readonly rejectedTotal: number;
  readonly malformedHttpTotal: number;
  readonly timedOutTotal: number;
  readonly sseBudgetBytes: number;
}

/** The REST and SSE server of a node, on loopback only and behind a bearer token. */
export class ApiServer {
  readonly #options: ApiOptions;
  readonly #services: ApiServices;
  readonly #streams = new EventStreams();
  readonly #subscriptions: Subscriptions;
  #app: FastifyInstance | undefined;
  #address: SocketAddress | undefined;
  #requests = 0;
  #unauthorized = 0;
  #rejected = 0;
  #malformedHttp = 0;
  #timedOut = 0;

  constructor(options: ApiOptions, services: ApiServices) {
    this.#options = options;
    this.#services = services;
    this.#subscriptions = new Subscriptions(services.pubsub, this.#streams.events);
  }

  /**
   * Loads the token, listens, and writes `<dataDir>/api.port`. Gives the bound address.
   * @throws UsageError `API_NOT_LOOPBACK`
   * @throws FaultError `API_BIND_FAILED`, `TOKEN_UNUSABLE`, `API_PORT_FILE_FAILED`
   */
  async start(): Promise<SocketAddress> {
    const { bind, dataDir } = this.#options;
    if (!isLoopback(bind.host)) {
      throw new UsageError(
        'API_NOT_LOOPBACK',
        `api_address ${formatAddress(bind)} is not a loopback address; the API listens on 127.0.0.1 or ::1 only`,
        { details: { host: bind.host } },
      );
    }
    const app = this.#build(new BearerCheck(await loadToken(join(dataDir, TOKEN_FILE))));
    this.#app = app;
    await app.listen({ host: bind.host, port: bind.port }).catch((cause: unknown) => {
      throw new FaultError(
        'API_BIND_FAILED',
        `cannot bind the API to ${formatAddress(bind)}: ${codeOf(cause)}`,
        {
          details: { address: formatAddress(bind) },
          cause,
        },
      );
    });
    const bound = app.server.address();
    if (!isAddressInfo(bound))
      throw new FaultError('API_BIND_FAILED', 'the API has no address after listening');
    this.#address = { host: bind.host, port: bound.port };
    this.#streams.connect(this.#services);
    await this.#writePortFile(formatAddress(this.#address));
    return this.#address;
  }

  /** Ends every event stream and every connection. */
  async stop(): Promise<void> {
    this.#subscriptions.clear();
    this.#streams.end();
    await this.#app?.close();
    await rm(join(this.#options.dataDir, PORT_FILE), { force: true });
  }

  stats(): ApiStats {
    const sum = (of: (stream: EventStreams['events']) => number) =>
      this.#streams.all.reduce((total, stream) => total + of(stream), 0);
    return {
      sseClients: sum((stream) => stream.clients),
      sseQueuedBytes: sum((stream) => stream.queuedBytes),
      sseEventsEvictedTotal: sum((stream) => stream.evictedTotal),
      requestsTotal: this.#requests,
      unauthorizedTotal: this.#unauthorized,
      rejectedTotal: this.#rejected,
      malformedHttpTotal: this.#malformedHttp,
      timedOutTotal: this.#timedOut,
      sseBudgetBytes: SSE_BUDGET_BYTES,
    };
  }

  #build(bearer: BearerCheck): FastifyInstance {
    const app = fastify({
      ...NO_HTTP_SCHEMAS,
      bodyLimit: BODY_LIMIT_BYTES,
      forceCloseConnections: true,
      keepAliveTimeout: KEEP_ALIVE_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      http: { headersTimeout: HEAD_TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_CHECK_MS },
      frameworkErrors: (error, _request, reply) => {
        const { status, body } = errorReply(error);
        reply.hijack();
        reply.raw.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      },
      clientErrorHandler: (error, socket) => {
        const body = { ok: false, error: `malformed HTTP request: ${codeOf(error)}` };
        const what = endBadHttp(error, socket, body);
        if (what === 'timed_out') this.#timedOut += 1;
        else if (what === 'malformed') this.#malformedHttp += 1;
      },
      return503OnClosing: false,
      routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    });
    app.server.maxConnections = MAX_CONNECTIONS;

    app.addHook('onRequest', async (request, reply) => {
      this.#requests += 1;
      const path = request.url.split('?', 1)[0] ?? '';
      if (OPEN_PATHS.has(path) || request.method === 'OPTIONS') return;
      if (bearer.accepts(request.headers.authorization)) return;
      this.#unauthorized += 1;
      await reply.code(401).send(UNAUTHORIZED_BODY);
    });
    app.addHook('onResponse', async (_request, { statusCode }) => {
      if (statusCode >= 400 && statusCode < 500 && statusCode !== 401) this.#rejected += 1;
    });
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'string' }, (_request, text, done) => {
      try {
        done(null, text.length === 0 ? {} : JSON.parse(String(text)));
      } catch (error) {
        done(Object.assign(new Error('the body is not JSON', { cause: error }), { statusCode: 400 }));
      }
    });
    app.setNotFoundHandler((request, reply) => {
      reply
        .code(404)
        .send({ ok: false, error: `no such endpoint: ${request.method} ${request.url.split('?', 1)[0]}` });
    });
    app.setErrorHandler((error, request, reply) => {
      const { status, body } = errorReply(error);
      if (status === 500) this.#options.log.warn({ err: error, url: request.url }, 'request failed');
      reply.code(status).send(body);
    });

    statusRoutes(app, this.#services, () => (this.#address ? formatAddress(this.#address) : ''));
    pubsubRoutes(app, this.#services, { subscriptions: this.#subscriptions, events: this.#streams.events });
    directRoutes(app, this.#services, this.#streams);
    logRoutes(app, this.#services);
    diagnosticsRoutes(app, this.#services, this.#streams);
    return app;
  }

  /** Renamed into place, so that a reader never sees half of it. */
  async #writePortFile(address: string): Promise<void> {
    const path = join(this.#options.dataDir, PORT_FILE);
    const draft = `${path}.${randomBytes(4).toString('hex')}`;
    try {
      await writeFile(draft, address);
      await rename(draft, path);
    } catch (cause) {
      throw new FaultError('API_PORT_FILE_FAILED', `cannot write ${path}: ${codeOf(cause)}`, {
        details: { path },
        cause,
      });
    }
  }
}

function isAddressInfo(address: string | AddressInfo | null): address is AddressInfo {
  return address !== null && typeof address === 'object';
}
