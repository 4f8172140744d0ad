import { describe, expect, it } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { type RigNode, TransportRig } from '../../node/transport/transport-rig.ts';
import type { OutsiderKind } from '../../scenarios/outsiders.ts';
import { LocalOutsiders } from './local-outsiders.ts';

const soon = { budgetMs: 20_000, everyMs: 20 };
const never = new AbortController().signal;

function outsidersOf(target: RigNode): LocalOutsiders {
  return new LocalOutsiders({
    networkId: 'rig',
    nodes: () => new Map([['n1', target.address]]),
    links: () => undefined,
  });
}

const against = (kind: OutsiderKind) => ({ kinds: [kind], targets: ['n1'], seed: 3 });

describe('outsiders', { timeout: 60_000 }, () => {
  it.each([
    ['garbage', (node: RigNode) => node.transport.stats().malformedFramesTotal],
    ['stranger', (node: RigNode) => node.transport.stats().helloRefusalsByReason.WRONG_NETWORK],
    ['silent', (node: RigNode) => node.transport.links().length],
    ['flooder', (node: RigNode) => node.transport.stats().links[0]?.receivedBytes],
  ] as const)('of kind %s do what they are for, report it, and leave nothing behind', async (kind, felt) => {
    await using rig = new TransportRig();
    // What a flooder says as it leaves may be lost in its own flood; then its link goes by the idle timeout.
    const target = await rig.node({ tuning: { idleTimeoutMs: 5_000, keepAliveMs: 1_000 } });
    target.transport.onFrame('gossip', () => {});
    const joined = await outsidersOf(target).join(against(kind), never);
    try {
      await until('the attack to be felt', () => felt(target) || undefined, soon);
      const isTold = async () => {
        const [report] = await joined.report();
        const { handshakes, refused } = report ?? { handshakes: 0, refused: 0 };
        return report?.kind === kind && handshakes + refused > 0 ? report : undefined; // its first dial is over
      };
      const report = await until('a report', isTold, soon);
      expect(report.handshakes > 0).toBe(kind !== 'stranger');
    } finally {
      await joined[Symbol.asyncDispose]();
    }
    await until('their links to go', () => target.transport.links().length === 0 || undefined, soon);
  });

  it('come back as somebody else when they are banned', async () => {
    await using rig = new TransportRig();
    const target = await rig.node();
    const peers = new Set<string>();
    target.transport.onFrame('gossip', ({ peerId }) => {
      peers.add(peerId);
      target.transport.closeLink(peerId, 'Banned');
    });
    await using joined = await outsidersOf(target).join(against('forger'), never);
    await until('three of them', () => peers.size >= 3 || undefined, soon);
    const refused = () => target.transport.stats().helloRefusalsByReason.PEER_BANNED;
    await until('one to be turned away', () => refused() || undefined, soon);
    expect((await joined.report())[0]?.refused).toBeGreaterThan(0);
  });

  it('end when the run is told to end, and with the mesh', async () => {
    await using rig = new TransportRig();
    const target = await rig.node();
    const abort = new AbortController();
    const outsiders = outsidersOf(target);
    const first = await outsiders.join(against('silent'), abort.signal);
    abort.abort(new Error('over'));
    await until(
      'it to be gone',
      () =>
        first.report().then(
          () => undefined,
          () => true,
        ),
      soon,
    );
    const second = await outsiders.join(against('silent'), never);
    await outsiders.close();
    await expect(second.report()).rejects.toMatchObject({ code: 'OUTSIDERS_GONE' });
  });

  it('are refused when there are more than there is room for', async () => {
    await using rig = new TransportRig();
    const outsiders = outsidersOf(await rig.node());
    const kinds = Array.from({ length: 33 }, () => 'silent' as const);
    await expect(outsiders.join({ kinds, targets: ['n1'], seed: 1 }, never)).rejects.toMatchObject({
      code: 'OUTSIDERS_UNAVAILABLE',
    });
  });
});
