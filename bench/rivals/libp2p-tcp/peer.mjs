// One js-libp2p gossipsub peer over TCP, for `npm run bench -- gossip`.
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { gossipsub } from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { servePeer } from '../../gossip-peer.ts';

const TOPIC = 'bench';

await servePeer(async (deliver) => {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      pubsub: gossipsub({
        emitSelf: true,
        globalSignaturePolicy: 'StrictSign',
        allowPublishToZeroTopicPeers: true,
      }),
    },
  });
  node.services.pubsub.addEventListener('message', (event) => {
    if (event.detail.topic === TOPIC) deliver(event.detail.data);
  });
  node.services.pubsub.subscribe(TOPIC);
  return {
    address: node.getMultiaddrs()[0].toString(),
    connect: (addresses) => Promise.all(addresses.map((address) => node.dial(multiaddr(address)))),
    links: () => node.services.pubsub.getSubscribers(TOPIC).length,
    publish: (payload) => node.services.pubsub.publish(TOPIC, payload),
    stop: () => node.stop(),
  };
});
