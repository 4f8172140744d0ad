import { isIPv6 } from 'node:net';
import { until } from '../../../kit/deadline.ts';
import { resolveForSocket } from '../../../node/transport/addresses.ts';
import { hostilePeer } from '../../../node/transport/hostile-rig.ts';
import { dialOnce, type Life, pause } from './life.ts';

/** The first one-way streams of whoever opened the connection. */
const STREAM_IDS = [6, 10, 14] as const;
const BYTES_MAX = 20_000;
const END_BUDGET_MS = 5_000;
const BETWEEN_DIALS_MS = 300;

/** Says the hello as it should, then bytes that are no frames, and again until it is refused everywhere. */
export async function garbageLife(
  { outsider, modules, random, tally }: Life,
  signal: AbortSignal,
): Promise<void> {
  const { bind, networkId, targets } = outsider;
  await using peer = await hostilePeer(modules, { networkId, bind });
  const attackOne = async (target: (typeof targets)[number]) => {
    const address = await resolveForSocket(target, isIPv6(bind.host) ? 'udp6' : 'udp4');
    while (!signal.aborted) {
      const dialled = await dialOnce(tally, () => peer.linked({ address }));
      if ('refusal' in dialled && dialled.refusal === 'PEER_BANNED') return;
      if ('linked' in dialled) {
        const connection = dialled.linked;
        for (const id of STREAM_IDS) {
          if (connection.end !== undefined) break;
          connection.native.streamSend(id, random.bytes(random.int(8, BYTES_MAX)), false);
          tally.framesSent += 1;
        }
        connection.ping();
        try {
          await until('the link to end', () => connection.end, { budgetMs: END_BUDGET_MS, signal });
          tally.closedByPeer += 1;
        } catch {
          connection.close('PeerShutdown', 'over'); // it was taken for frames that are not whole yet
        }
      }
      await pause(random.jitter(BETWEEN_DIALS_MS, 0.5), signal);
    }
  };
  await Promise.all(targets.map(attackOne));
}
