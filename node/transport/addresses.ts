import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { SocketAddress } from './transport.ts';
import { TransportError } from './transport-error.ts';

const MAPPED = '::ffff:';

/**
 * Whether `host` is a loopback address written as one: packets to it never leave this machine. Names are not: what
 * `localhost` means is not ours to trust.
 */
export function isLoopback(host: string): boolean {
  const plain = unmapped(host);
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}

export function isUnspecified(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** An IPv4 address as people write it, also when a dual-stack socket saw it as `::ffff:a.b.c.d`. */
export function unmapped(host: string): string {
  return host.startsWith(MAPPED) && isIP(host.slice(MAPPED.length)) === 4 ? host.slice(MAPPED.length) : host;
}

/**
 * The IP address to send to from a socket of `family`, IPv4 mapped for a dual-stack one; names are looked up.
 * @throws TransportError `DIAL_FAILED` when the name does not resolve or the socket cannot reach that family
 */
export async function resolveForSocket(
  address: SocketAddress,
  family: 'udp4' | 'udp6',
): Promise<SocketAddress> {
  const host = isIP(address.host) ? address.host : await resolveName(address, family);
  if (family === 'udp6') return { host: isIP(host) === 4 ? `${MAPPED}${host}` : host, port: address.port };
  if (isIP(host) === 4) return { host, port: address.port };
  throw new TransportError('DIAL_FAILED', `${host} is IPv6, and this node is bound to IPv4 only`, {
    details: { host, port: address.port },
  });
}

async function resolveName(address: SocketAddress, family: 'udp4' | 'udp6'): Promise<string> {
  try {
    const found = await lookup(address.host, { family: family === 'udp4' ? 4 : 0 });
    return found.address;
  } catch (cause) {
    throw new TransportError('DIAL_FAILED', `The name ${address.host} does not resolve`, {
      details: { host: address.host, port: address.port },
      cause,
    });
  }
}
