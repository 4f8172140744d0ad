import { expect, test } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { TransportRig } from './transport-rig.ts';

const soon = { budgetMs: 20_000, everyMs: 2 };
const signal = () => AbortSignal.timeout(30_000);

test('a banned peer loses its link and is refused by name on both sides, whoever dials', async () => {
  await using rig = new TransportRig();
  const [peer, node] = await rig.pair();
  await until('the link', () => node.transport.linkTo(peer.transport.peerId), soon);
  node.transport.closeLink(peer.transport.peerId, 'Banned', 'it forged');
  const end = await until('its end', () => peer.events.find(({ event }) => event === 'Closed'), soon);
  expect(end.reason).toBe('Banned');

  const refused = { code: 'PEER_BANNED' };
  await expect(peer.transport.dial(node.address, { signal: signal() })).rejects.toMatchObject(refused);
  await expect(node.transport.dial(peer.address, { signal: signal() })).rejects.toMatchObject(refused);
  await until(
    'both to have counted it',
    () => {
      const counts = [peer, node].map(({ transport }) => transport.stats().helloRefusalsByReason.PEER_BANNED);
      return counts.every((count) => count === 2) || undefined;
    },
    soon,
  );
  expect(node.transport.links()).toEqual([]);
  const other = await rig.node();
  await other.transport.dial(node.address, { signal: signal() }); // only that peer is banned
});

test('a ban ends by itself', async () => {
  await using rig = new TransportRig();
  const [peer, node] = await rig.pair({ tuning: { banMs: 50 } });
  await until('the link', () => node.transport.linkTo(peer.transport.peerId), soon);
  node.transport.closeLink(peer.transport.peerId, 'Banned');
  await until('its end', () => peer.transport.links().length === 0 || undefined, soon);
  const again = () => peer.transport.dial(node.address, { signal: signal() }).catch(() => undefined);
  await until('a link again', again, soon);
});

test('a link that is closed for another reason may come again at once', async () => {
  await using rig = new TransportRig();
  const [peer, node] = await rig.pair();
  await until('the link', () => node.transport.linkTo(peer.transport.peerId), soon);
  node.transport.closeLink(peer.transport.peerId, 'LivenessTimeout');
  await until('its end', () => peer.transport.links().length === 0 || undefined, soon);
  await peer.transport.dial(node.address, { signal: signal() });
});
