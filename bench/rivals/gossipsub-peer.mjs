// A js-libp2p gossipsub peer for `npm run bench -- gossip`; what differs between versions and transports comes in.
import { servePeer } from '../gossip-peer.ts';

const TOPIC = 'bench';

export function serveGossipsub({ createLibp2p, multiaddr, gossipsub, identify, listen, network }) {
  return servePeer(async (deliver) => {
    const node = await createLibp2p({
      addresses: { listen: [listen] },
      ...network,
      services: {
        identify: identify(),
        pubsub: gossipsub({
          emitSelf: true,
          globalSignaturePolicy: 'StrictSign',
          allowPublishToZeroTopicPeers: true,
        }),
      },
    });
    const { pubsub } = node.services;
    pubsub.addEventListener('message', (event) => {
      if (event.detail.topic === TOPIC) deliver(event.detail.data);
    });
    pubsub.subscribe(TOPIC);
    return {
      address: node.getMultiaddrs()[0].toString(),
      connect: (addresses) => Promise.all(addresses.map((address) => node.dial(multiaddr(address)))),
      links: () => pubsub.getSubscribers(TOPIC).length,
      publish: (payload) => pubsub.publish(TOPIC, payload),
      stop: () => node.stop(),
    };
  });
}
