// js-libp2p 2.x over QUIC.
import { gossipsub } from '@chainsafe/libp2p-gossipsub';
import { quic } from '@chainsafe/libp2p-quic';
import { identify } from '@libp2p/identify';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { serveGossipsub } from '../gossipsub-peer.mjs';

await serveGossipsub({
  createLibp2p,
  multiaddr,
  gossipsub,
  identify,
  listen: '/ip4/127.0.0.1/udp/0/quic-v1',
  network: { transports: [quic()] },
});
