import { BlockList, isIP } from 'node:net';
import type { PeerId, SocketAddress } from '../transport/transport.ts';
import type { PeerAddress } from './exchange.ts';

export const HEARSAY_REFUSALS = ['own_id', 'not_an_ip', 'unroutable', 'loopback_from_afar'] as const;
type HearsayRefusal = (typeof HEARSAY_REFUSALS)[number];

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

const unroutable = new BlockList();
unroutable.addSubnet('0.0.0.0', 8, 'ipv4');
unroutable.addSubnet('169.254.0.0', 16, 'ipv4');
unroutable.addSubnet('224.0.0.0', 3, 'ipv4'); // multicast, reserved, broadcast
unroutable.addAddress('::', 'ipv6');
unroutable.addSubnet('fe80::', 10, 'ipv6');
unroutable.addSubnet('ff00::', 8, 'ipv6');

function isIn(list: BlockList, host: string): boolean {
  const family = isIP(host);
  return family !== 0 && list.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Why an address that another peer told of must not be dialled, or `null`. Names are refused, as a stranger must not
 * make this node resolve them; a loopback address means something only to a peer on the same machine.
 */
export function whyRefuseHearsay(
  { peerId, address }: PeerAddress,
  { ownId, teller }: { readonly ownId: PeerId; readonly teller: SocketAddress },
): HearsayRefusal | null {
  if (peerId === ownId) return 'own_id';
  if (isIP(address.host) === 0) return 'not_an_ip';
  if (address.port === 0 || isIn(unroutable, address.host)) return 'unroutable';
  if (isIn(loopback, address.host) && !isIn(loopback, teller.host)) return 'loopback_from_afar';
  return null;
}

/** Where others can dial a peer that listens on all interfaces: the host it is seen from, the port it names. */
export function dialableAddress(listen: SocketAddress, seenFrom: SocketAddress): SocketAddress {
  const listensEverywhere = listen.host === '0.0.0.0' || listen.host === '::' || listen.host === '';
  return listensEverywhere ? { host: seenFrom.host, port: listen.port } : listen;
}
