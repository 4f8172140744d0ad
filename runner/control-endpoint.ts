import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import * as z from 'zod';
import { BearerCheck } from '../kit/bearer-token.ts';
import type { Clock } from '../kit/clock.ts';
import { endBadHttp } from '../kit/end-bad-http.ts';
import { FaultError, type JsonObject, messageOf } from '../kit/errors.ts';
import { NO_HTTP_SCHEMAS } from '../kit/no-http-schemas.ts';
import type { CommandDesk } from './command-desk.ts';
import type { RefusalCode } from './command-envelope.ts';
import { ENVELOPE_MAX_BYTES, type ResultPage } from './protocol.ts';
import type { ResultStore } from './result-store.ts';

const WAIT_MAX_MS = 30_000;
const WAITERS_MAX = 16;
const CONNECTIONS_MAX = 128;
// A request that stands half open holds one of those connections.
const HEAD_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const TIMEOUT_CHECK_MS = 1_000;
const STATUS_OF: Partial<Record<RefusalCode, number>> = {
  ENVELOPE_MALFORMED: 400,
  COMMAND_MALFORMED: 400,
  COMMAND_LOG_FULL: 503,
  COMMAND_LOG_UNWRITABLE: 503,
  RUNNER_BUSY: 503,
};
const REFUSED = 403;

const resultsQuerySchema = z.strictObject({
  after: z.coerce.number().int().min(0).default(0),
  boot_id: z
    .string()
    .max(64)
    .default('')
    .describe('process that `after` counts in; of another, reading starts anew'),
  wait_ms: z.coerce.number().int().min(0).max(WAIT_MAX_MS).default(0),
  limit: z.coerce.number().int().min(1).max(1_024).default(256),
});

interface EndpointModules {
  readonly desk: Pick<CommandDesk, 'receive'>;
  readonly store: ResultStore;
  readonly clock: Clock;
  readonly health: () => JsonObject;
}

/**
 * The loopback way to a runner: `POST /command`, `GET /results` (waits up to `wait_ms` for the next one) and
 * `GET /health`, all behind a bearer token. A reader names the last result that it has, so that a broken connection
 * loses nothing and doubles nothing.
 */
export class ControlEndpoint {
  readonly #options: { readonly token: string; readonly bootId: string };
  readonly #modules: EndpointModules;
  readonly #app: FastifyInstance;
  readonly #stopping = new AbortController();
  readonly #counts = {
    unauthorized_total: 0,
    rejected_total: 0,
    malformed_http_total: 0,
    timed_out_total: 0,
  };
  #waiters = 0;

  constructor(options: { readonly token: string; readonly bootId: string }, modules: EndpointModules) {
    this.#options = options;
    this.#modules = modules;
    const bearer = new BearerCheck(options.token);
    this.#app = fastify({
      ...NO_HTTP_SCHEMAS,
      bodyLimit: ENVELOPE_MAX_BYTES,
      forceCloseConnections: true,
      requestTimeout: REQUEST_TIMEOUT_MS,
      http: { headersTimeout: HEAD_TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_CHECK_MS },
      clientErrorHandler: (error, socket) => {
        const what = endBadHttp(error, socket, { ok: false, code: 'NOT_HTTP', error: messageOf(error) });
        if (what === 'timed_out') this.#counts.timed_out_total += 1;
        else if (what === 'malformed') this.#counts.malformed_http_total += 1;
      },
    });
    this.#app.server.maxConnections = CONNECTIONS_MAX;
    this.#app.removeAllContentTypeParsers();
    this.#app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
    this.#app.addHook('onRequest', async (request, reply) => {
      if (bearer.accepts(request.headers.authorization)) return;
      await refuse(reply, 401, 'UNAUTHORIZED', 'missing or invalid Authorization: Bearer token');
    });
    this.#app.addHook('onResponse', async (_request, { statusCode }) => {
      if (statusCode === 401) this.#counts.unauthorized_total += 1;
      else if (statusCode >= 400 && statusCode < 500) this.#counts.rejected_total += 1;
    });
    this.#app.post('/command', (request, reply) => this.#command(request, reply));
    this.#app.get('/results', (request, reply) => this.#results(request, reply));
    this.#app.get('/health', (_request, reply) =>
      reply.send({ ok: true, ...modules.health(), control: { ...this.#counts } }),
    );
    this.#app.setNotFoundHandler((request, reply) =>
      refuse(reply, 404, 'NOT_FOUND', `no ${request.method} ${request.url}`),
    );
    this.#app.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) =>
      refuse(
        reply,
        error.statusCode ?? 500,
        error.statusCode === 413 ? 'ENVELOPE_TOO_LARGE' : 'INTERNAL',
        messageOf(error),
      ),
    );
  }

  /**
   * Listens; gives the bound address.
   * @throws FaultError `CONTROL_BIND_FAILED`
   */
  async start({
    host,
    port,
  }: {
    readonly host: string;
    readonly port: number;
  }): Promise<{ host: string; port: number }> {
    try {
      await this.#app.listen({ host, port });
    } catch (cause) {
      throw new FaultError('CONTROL_BIND_FAILED', `cannot listen on ${host}:${port}: ${messageOf(cause)}`, {
        details: { host, port },
        cause,
      });
    }
    const bound = this.#app.server.address();
    return { host, port: bound !== null && typeof bound === 'object' ? bound.port : port };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#app.close();
  }

  async #command(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const body = typeof request.body === 'string' ? request.body : '';
    const reception = await this.#modules.desk.receive(body, () => null);
    if ('refused' in reception) {
      return refuse(reply, STATUS_OF[reception.refused] ?? REFUSED, reception.refused, reception.why);
    }
    const duplicate = reception.received === 'duplicate';
    const { command_id } = reception.command;
    return reply
      .code(duplicate ? 200 : 202)
      .send({ ok: true, command_id, duplicate, boot_id: this.#options.bootId });
  }

  async #results(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const query = resultsQuerySchema.safeParse(request.query);
    if (!query.success) {
      const issue = query.error.issues[0];
      return refuse(
        reply,
        400,
        'QUERY_INVALID',
        `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'does not fit'}`,
      );
    }
    const { bootId } = this.#options;
    const { store, clock } = this.#modules;
    const after = query.data.boot_id === bootId ? query.data.after : 0;
    if (after >= store.lastSeq && query.data.wait_ms > 0) {
      if (this.#waiters >= WAITERS_MAX)
        return refuse(reply, 503, 'RUNNER_BUSY', `${WAITERS_MAX} readers wait already`);
      await this.#nextPush(query.data.wait_ms, request);
    }
    const { results, nextAfter, missed } = store.read({ after, limit: query.data.limit }, clock.nowMs());
    const page: ResultPage = {
      ok: true,
      boot_id: bootId,
      results: [...results],
      next_after: nextAfter,
      missed,
      dropped_total: store.droppedUnread,
    };
    return reply.send(page);
  }

  /** Resolves at the next result, after `waitMs`, when the reader went away, or when this endpoint stops. */
  async #nextPush(waitMs: number, request: FastifyRequest): Promise<void> {
    this.#waiters += 1;
    const over = Promise.withResolvers<void>();
    const end = () => over.resolve();
    const timer = setTimeout(end, waitMs);
    const stopListening = this.#modules.store.onPush(end);
    request.raw.socket.once('close', end);
    this.#stopping.signal.addEventListener('abort', end, { once: true });
    await over.promise;
    clearTimeout(timer);
    stopListening();
    request.raw.socket.off('close', end);
    this.#stopping.signal.removeEventListener('abort', end);
    this.#waiters -= 1;
  }
}

function refuse(reply: FastifyReply, status: number, code: string, error: string): FastifyReply {
  return reply.code(status).send({ ok: false, code, error });
}
