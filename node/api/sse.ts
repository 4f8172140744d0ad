import type { ServerResponse } from 'node:http';
import { RequestError } from './error-reply.ts';
import { SseBudget } from './sse-budget.ts';
import { SSE_BOUNDS, type SseBounds, SseQueue } from './sse-queue.ts';

const KEEP_ALIVE_MS = 15_000;
const WRITE_BATCH_BYTES = 64 * 1024;
const MAX_CLIENTS = 32; // per stream; what they may cost together is the budget's to say
const PING = Buffer.from(': ping\n\n');

/** One reader. Writes only while the socket takes bytes; what it does not take waits in a bounded queue. */
class SseClient {
  readonly #response: ServerResponse;
  readonly queue: SseQueue;
  #canWrite = true;

  constructor(response: ServerResponse, bounds: SseBounds) {
    this.#response = response;
    this.queue = new SseQueue(bounds);
    response.on('drain', () => {
      this.#canWrite = true;
      this.#flush();
    });
  }

  get queuedBytes(): number {
    return this.queue.bytes + this.#response.writableLength;
  }

  /** Gives how many older frames had to make room. */
  offer(frame: Uint8Array): number {
    const evicted = this.queue.push(frame);
    this.#flush();
    return evicted;
  }

  /** A stalled client gets no pings either: they would pile up behind its events. */
  ping(): void {
    if (this.#canWrite) this.#canWrite = this.#response.write(PING);
  }

  end(): void {
    this.#response.end(); // a stalled reader's socket goes with the server's last connections
  }

  #flush(): void {
    while (this.#canWrite) {
      const batch = this.queue.takeBatch(WRITE_BATCH_BYTES);
      if (batch === undefined) return;
      this.#canWrite = this.#response.write(batch);
    }
  }
}

/** One event stream with any number of readers up to a bound. A slow reader loses its oldest events, and only it. */
export class SseStream {
  readonly #clients = new Set<SseClient>();
  readonly #bounds: SseBounds;
  readonly #budget: SseBudget;
  #keepAlive: NodeJS.Timeout | undefined;
  #ended = false;
  /** Events that slow readers lost. */
  evictedTotal = 0;
  /** Called when the first reader has come and when the last has gone. */
  onAudience: (hasReaders: boolean) => void = () => {};
  /** Hears of events that slow readers have just lost. */
  onEvicted: (events: number) => void = () => {};

  constructor(bounds: SseBounds = SSE_BOUNDS, budget: SseBudget = new SseBudget()) {
    this.#bounds = bounds;
    this.#budget = budget;
  }

  get clients(): number {
    return this.#clients.size;
  }

  get queuedBytes(): number {
    let bytes = 0;
    for (const client of this.#clients) bytes += client.queuedBytes;
    return bytes;
  }

  /**
   * Makes `response` a reader of this stream until it closes.
   * @throws RequestError 503 when there are too many readers or the node is stopping
   */
  attach(response: ServerResponse): void {
    if (this.#ended) throw new RequestError(503, 'the node is stopping');
    if (this.#clients.size >= MAX_CLIENTS)
      throw new RequestError(503, `more than ${MAX_CLIENTS} readers of this stream`);
    response.socket?.setNoDelay(true);
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache',
      connection: 'keep-alive',
      'x-accel-buffering': 'no',
    });
    response.flushHeaders();
    const client = new SseClient(response, this.#bounds);
    this.#clients.add(client);
    this.#budget.add(client.queue, (events) => this.#evicted(events));
    if (this.#clients.size === 1) this.onAudience(true);
    this.#keepAlive ??= setInterval(() => this.#pingAll(), KEEP_ALIVE_MS);
    response.on('close', () => this.#detach(client));
    response.on('error', () => this.#detach(client)); // the reader went away; 'close' may not follow a write error
  }

  /** Sends one event to every reader; `data` is serialised once. `onEvicted` hears of what had to make room. */
  send(event: string, data: unknown): void {
    if (this.#clients.size === 0) return;
    const frame = sseFrame(event, data);
    for (const client of this.#clients) this.#evicted(client.offer(frame));
    this.#budget.settle();
  }

  /** Ends every reader; later ones are refused. */
  end(): void {
    this.#ended = true;
    clearInterval(this.#keepAlive);
    for (const client of this.#clients) {
      client.end();
      this.#budget.remove(client.queue);
    }
    this.#clients.clear();
  }

  #evicted(events: number): void {
    if (events === 0) return;
    this.evictedTotal += events;
    this.onEvicted(events);
  }

  #pingAll(): void {
    for (const client of this.#clients) client.ping();
  }

  #detach(client: SseClient): void {
    this.#budget.remove(client.queue);
    if (!this.#clients.delete(client) || this.#clients.size > 0) return;
    this.onAudience(false);
    clearInterval(this.#keepAlive);
    this.#keepAlive = undefined;
  }
}

/** One event on the wire: its name, one line of JSON, a blank line. */
export function sseFrame(event: string, data: unknown): Uint8Array {
  return Buffer.from(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}
