import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Pool } from 'undici';

/** A way to an HTTP endpoint that is not TCP from here. */
export interface HttpTunnel {
  /** A stream to the endpoint. What it rejects with is what the requests that wait for it fail with. */
  open(): Promise<Duplex>;
  /** How many streams may be open at once. */
  readonly connections: number;
}

/** Keep-alive connections to `baseUrl`, at most `connections`; through `tunnel` where there is one. */
export function httpPool(baseUrl: string, connections: number, tunnel: HttpTunnel | undefined): Pool {
  if (tunnel === undefined) return new Pool(baseUrl, { connections });
  return new Pool(baseUrl, {
    connections: tunnel.connections,
    connect: (_options, connected) => {
      tunnel.open().then(
        (stream) => connected(null, stream as Socket), // undici asks of it what every duplex stream can do
        (error: Error) => connected(error, null),
      );
    },
  });
}
