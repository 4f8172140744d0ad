// One js-libp2p 2.x gossipsub peer over QUIC, for `npm run bench -- gossip`.
import { gossipsub } from '@chainsafe/libp2p-gossipsub';
import { quic } from '@chainsafe/libp2p-quic';
import { identify } from '@libp2p/identify';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { servePeer } from '../../gossip-peer.ts';

const TOPIC = 'bench';

await servePeer(async (deliver) => {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/udp/0/quic-v1'] },
    transports: [quic()],
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
