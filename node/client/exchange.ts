import type { Dispatcher, Pool } from 'undici';
import * as z from 'zod';
import { DeadlineError, withinBudget } from '../../kit/deadline.ts';
import { codeOf, FaultError, type MeshproofError, messageOf } from '../../kit/errors.ts';
import { badBody, parseBody } from './body.ts';
import { NodeError, NodeHttpError } from './errors.ts';

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

const MAX_BODY_BYTES = 64 * 1024 * 1024; // an endless body must not cost endless memory
const STREAM_SILENCE_MS = 45_000; // three missed keep-alives of 15 s
const SHOWN_CHARS = 200;
const jsonObject = z.record(z.string(), z.json());

type Method = 'GET' | 'POST' | 'DELETE';

/** HTTP with one node: deadlines, sizes, and every way of failing as a `NodeError`. */
export class HttpExchange {
  readonly #pool: Pool;
  readonly #baseUrl: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;

  constructor(options: { pool: Pool; baseUrl: string; token: string; timeoutMs: number }) {
    this.#pool = options.pool;
    this.#baseUrl = options.baseUrl;
    this.#headers = { authorization: `Bearer ${options.token}` };
    this.#timeoutMs = options.timeoutMs;
  }

  async json<T>(
    method: Method,
    path: string,
    schema: z.ZodType<T>,
    options?: CallOptions,
    body?: object,
  ): Promise<T> {
    return parseBody(`${method} ${path}`, await this.text(method, path, body, options), schema);
  }

  /** The body of a successful answer as strict UTF-8. */
  async text(
    method: Method,
    path: string,
    body: object | undefined,
    options: CallOptions = {},
  ): Promise<string> {
    const call = `${method} ${path}`;
    return this.#guarded(call, options, async (signal) => {
      const response = await this.#pool.request({
        method,
        path,
        signal,
        headers:
          body === undefined ? this.#headers : { ...this.#headers, 'content-type': 'application/json' },
        body: body === undefined ? null : JSON.stringify(body),
      });
      const text = await readText(call, response.body);
      if (response.statusCode >= 300) throw httpError(call, response.statusCode, text);
      return text;
    });
  }

  /** The body of an event stream, once its headers are in. The deadline covers the opening only. */
  async stream(path: string, options: CallOptions = {}): Promise<AsyncIterable<Uint8Array>> {
    const call = `GET ${path}`;
    const stop = new AbortController();
    const onAbort = () => stop.abort(options.signal?.reason);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    const response = await this.#guarded(call, options, async (signal) => {
      const abandon = () => stop.abort(signal.reason);
      signal.addEventListener('abort', abandon, { once: true });
      try {
        const opened = await this.#pool.request({
          method: 'GET',
          path,
          signal: stop.signal,
          headers: { ...this.#headers, accept: 'text/event-stream' },
          bodyTimeout: STREAM_SILENCE_MS,
        });
        if (opened.statusCode !== 200) {
          throw httpError(call, opened.statusCode, await readText(call, opened.body));
        }
        return opened;
      } finally {
        signal.removeEventListener('abort', abandon);
      }
    });
    return this.#chunks(
      call,
      response.body,
      () => options.signal?.removeEventListener('abort', onAbort),
      options.signal,
    );
  }

  async *#chunks(
    call: string,
    body: Dispatcher.ResponseData['body'],
    done: () => void,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of body) yield chunk;
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#nodeError(call, error);
    } finally {
      done();
      body.destroy();
    }
  }

  async #guarded<T>(
    call: string,
    options: CallOptions,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    try {
      return await withinBudget(call, options.timeoutMs ?? this.#timeoutMs, work, options.signal);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw this.#nodeError(call, error);
    }
  }

  #nodeError(call: string, error: unknown): MeshproofError {
    if (error instanceof NodeError) return error;
    if (error instanceof FaultError) return error; // the way to the node failed, not the node
    const url = this.#baseUrl;
    if (error instanceof DeadlineError) {
      const { budget_ms = null } = error.details;
      return new NodeError('NODE_TIMEOUT', `${call} of ${url} did not answer within ${budget_ms} ms`, {
        details: { call, url, budget_ms },
        cause: error,
      });
    }
    const code = codeOf(error);
    if (code === 'UND_ERR_BODY_TIMEOUT' || code === 'UND_ERR_HEADERS_TIMEOUT') {
      return new NodeError('NODE_TIMEOUT', `${call} of ${url} fell silent`, {
        details: { call, url },
        cause: error,
      });
    }
    return new NodeError(
      'NODE_UNREACHABLE',
      `${call} of ${url} got no answer: ${code}: ${messageOf(error)}`,
      {
        details: { call, url, reason: code },
        cause: error,
      },
    );
  }
}

async function readText(call: string, body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    const bytes: Uint8Array = chunk;
    size += bytes.length;
    if (size > MAX_BODY_BYTES) throw badBody(call, '(body)', `is larger than ${MAX_BODY_BYTES} bytes`);
    chunks.push(bytes);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks, size));
  } catch (cause) {
    throw badBody(call, '(body)', 'is not UTF-8', cause);
  }
}

function httpError(call: string, status: number, text: string): NodeHttpError {
  try {
    const body = jsonObject.parse(JSON.parse(text));
    const error = typeof body.error === 'string' ? body.error : text.slice(0, SHOWN_CHARS);
    return new NodeHttpError(call, status, error, body);
  } catch {
    // Not JSON: what was said is kept as text, and the status says the rest.
    return new NodeHttpError(call, status, text.slice(0, SHOWN_CHARS), {});
  }
}
