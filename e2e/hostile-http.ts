import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Endpoint } from '../harness/fleet/mesh-host.ts';

/** A raw connection to an API, whose own side stays open until it is destroyed; errors of a server that hangs up are what an attacker expects. */
export async function rawConnection(api: Endpoint): Promise<Socket> {
  const { hostname, port } = new URL(api.baseUrl);
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Requests that begin and never end: half of a head each. */
export function halfOpenRequests(api: Endpoint, count: number): Promise<readonly Socket[]> {
  const open = async () => {
    const socket = await rawConnection(api);
    socket.write(`POST /publish HTTP/1.1\r\nHost: x\r\nX-Half`);
    socket.resume();
    return socket;
  };
  return Promise.all(Array.from({ length: count }, open));
}

/** A reader of `/events` that takes nothing from its socket once the head of the answer is there. */
export async function stalledReader(api: Endpoint): Promise<Socket> {
  const socket = await rawConnection(api);
  socket.write(
    `GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${api.token}\r\nAccept: text/event-stream\r\n\r\n`,
  );
  await once(socket, 'data');
  socket.pause();
  return socket;
}

/** Status of a raw request; `authorization` is sent as it is. */
export async function statusOf(
  api: Endpoint,
  path: string,
  { authorization, body }: { readonly authorization?: string; readonly body?: string } = {},
): Promise<number> {
  const headers = authorization === undefined ? {} : { authorization };
  const init = body === undefined ? { headers } : { headers, method: 'POST', body };
  const answer = await fetch(`${api.baseUrl}${path}`, init);
  await answer.arrayBuffer();
  return answer.status;
}

/** Announces `bodyBytes` and sends none of them; gives the status line of the answer. */
export async function announceBody(api: Endpoint, path: string, bodyBytes: number): Promise<string> {
  const socket = await rawConnection(api);
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${api.token}\r\nContent-Length: ${bodyBytes}\r\n\r\n`,
  );
  const [head] = await once(socket, 'data');
  socket.destroy();
  return String(head).split('\r\n', 1)[0] ?? '';
}
