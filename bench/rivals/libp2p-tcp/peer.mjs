// js-libp2p, current, over TCP.
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { gossipsub } from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { serveGossipsub } from '../gossipsub-peer.mjs';

await serveGossipsub({
  createLibp2p,
  multiaddr,
  gossipsub,
  identify,
  listen: '/ip4/127.0.0.1/tcp/0',
  network: { transports: [tcp()], connectionEncrypters: [noise()], streamMuxers: [yamux()] },
});
