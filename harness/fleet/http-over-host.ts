import type { HttpTunnel } from '../../kit/http-pool.ts';
import type { Host } from './host.ts';

/**
 * Of the four tunnels that a host's connection carries, two go to the node (one of them may be an event stream) and
 * two to the runner (one of them waits for results).
 */
const TUNNELS = 2;

/**
 * The way to an HTTP server on the host's loopback, through its connection. A port where nothing listens is
 * `ECONNREFUSED`, as it would be from there; everything else that goes wrong is a `HostError`.
 */
export function httpOverHost(host: Pick<Host, 'connect'>, port: number): HttpTunnel {
  const whole = new AbortController().signal; // the host's own deadline ends it
  return { open: () => host.connect(port, whole), connections: TUNNELS };
}
