import { QuicTransport } from '../../../node/transport/quic-transport.ts';
import { type PeerLink, TRAFFIC_CLASSES } from '../../../node/transport/transport.ts';
import { HostileGossip } from './hostile-gossip.ts';
import { dialOnce, type Life, pause } from './life.ts';

const BETWEEN_DIALS_MS = 250;
const BETWEEN_FORGERIES_MS = 50;
const LINK_LOOK_MS = 100;

/** Follows one identity that speaks the transport as it should, and harms by what it says over it, or does not. */
export async function linkedLife(life: Life, signal: AbortSignal): Promise<void> {
  const { outsider, modules, random, tally } = life;
  const { kind, bind, targets } = outsider;
  const networkId = kind === 'stranger' ? `${outsider.networkId}-elsewhere` : outsider.networkId;
  const transport = new QuicTransport({ bind, networkId }, modules);
  const never = () => new Promise<never>(() => {}); // what is not answered is not read further
  if (kind === 'silent') {
    for (const trafficClass of TRAFFIC_CLASSES) transport.onFrame(trafficClass, never);
    transport.onRequest(never);
  }
  const gossip = new HostileGossip(modules.agent, random);
  const isUp = ({ peerId }: PeerLink) => transport.linkTo(peerId) !== undefined;

  const abuse = async (link: PeerLink): Promise<void> => {
    while (!signal.aborted && isUp(link)) {
      if (kind === 'silent') {
        await pause(LINK_LOOK_MS, signal);
        continue;
      }
      const frames = kind === 'flooder' ? await gossip.valid() : [gossip.forged()];
      for (const frame of frames) {
        const sent = transport.send(link.peerId, 'gossip', frame, signal);
        if (
          !(await sent.then(
            () => true,
            () => false,
          ))
        )
          return;
        tally.framesSent += 1;
      }
      if (kind === 'forger') await pause(BETWEEN_FORGERIES_MS, signal);
    }
  };
  const attackOne = async (address: (typeof targets)[number]) => {
    while (!signal.aborted) {
      const dialled = await dialOnce(tally, () => transport.dial(address, { signal }));
      if ('refusal' in dialled && dialled.refusal === 'PEER_BANNED') return;
      if ('linked' in dialled) {
        await abuse(dialled.linked);
        if (!signal.aborted) tally.closedByPeer += 1;
      }
      await pause(random.jitter(BETWEEN_DIALS_MS, 0.5), signal);
    }
  };
  await transport.start();
  try {
    await Promise.all(targets.map(attackOne));
  } finally {
    await transport.stop();
  }
}
