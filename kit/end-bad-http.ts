import type { Socket } from 'node:net';
import { codeOf, type JsonObject } from './errors.ts';

const LINGER_MS = 1_000; // for the answer to be read; a client that keeps its side open gets no more than this

/** What a connection did that a server gives up on: it went away, was too slow, or did not speak HTTP. */
export type BadHttp = 'gone' | 'timed_out' | 'malformed';

/**
 * For `clientErrorHandler` of a server: answers with 400 or 408 and `body` as JSON, and ends the connection whether or
 * not the client closes its side. Gives what it was, to be counted.
 */
export function endBadHttp(error: Error, socket: Socket, body: JsonObject): BadHttp {
  const code = codeOf(error);
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return 'gone';
  }
  const isLate = code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const status = isLate ? '408 Request Timeout' : '400 Bad Request';
  const text = JSON.stringify(body);
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n`;
  socket.end(head + text);
  const linger = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(linger));
  return isLate ? 'timed_out' : 'malformed';
}
