import type { SocketAddress } from '../transport/transport.ts';

/** One string per address, for maps and messages; IPv6 in brackets. */
export function addressKey({ host, port }: SocketAddress): string {
  return host.includes(':') ? `[${host.toLowerCase()}]:${port}` : `${host.toLowerCase()}:${port}`;
}
