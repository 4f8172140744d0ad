import { pino } from 'pino';
import { afterAll, expect, test } from 'vitest';
import { type Clock, realClock } from '../../kit/clock.ts';
import { until } from '../../kit/deadline.ts';
import { Random } from '../../kit/random.ts';
import { Membership } from '../membership/membership.ts';
import { steadyClock } from '../transport/fixture-clocks.ts';
import { ImpairedSocket } from '../transport/impaired-socket.ts';
import { type RigNode, TransportRig } from '../transport/transport-rig.ts';
import { DirectMessages } from './direct-messages.ts';
import { LinkProver } from './link-prover.ts';
import { OPTIONS } from './room-fixture.ts';

/** Direct messages over real transports on the loopback interface, through whatever becomes of their links; side by side, since they mostly wait. */

const log = pino({ level: 'silent' });
const signal = () => AbortSignal.timeout(120_000);
const soon = { budgetMs: 30_000, everyMs: 20 };

const stops: (() => unknown)[] = [];
afterAll(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** A clock that runs `times` as fast, for rules that take half a minute. */
const fastClock = (times: number): Clock => ({
  nowMs: () => steadyClock.nowMs() * times,
  wallMs: () => steadyClock.wallMs(),
  sleep: (ms, ending) => steadyClock.sleep(ms / times, ending),
});

function newRig(): TransportRig {
  const rig = new TransportRig();
  stops.push(() => rig[Symbol.asyncDispose]());
  return rig;
}

function roomOn({ transport, modules }: RigNode, membership?: Membership) {
  const direct = new DirectMessages(
    {},
    {
      transport,
      agentId: modules.agent.id,
      machineId: transport.peerId,
      clock: steadyClock,
      log,
      pathTo: (peerId) => transport.pathTo(peerId),
      ...(membership && { ensureLink: (peerId, ending) => membership.ensureLink(peerId, ending) }),
    },
  );
  direct.start();
  stops.push(() => direct.stop());
  const inbox: string[] = [];
  direct.subscribe(({ payload }) => void inbox.push(Buffer.from(payload).toString()));
  return { direct, inbox };
}

function membershipOf({ transport }: RigNode, known: readonly RigNode[]): Membership {
  const membership = new Membership(
    { knownPeers: known.map(({ address }) => address), peerExchange: true },
    { transport, clock: steadyClock, random: new Random(1), log },
  );
  transport.onFrame('control', (link, frame) => void membership.handleControlFrame(link, frame));
  membership.start();
  stops.push(() => membership.stop());
  return membership;
}

async function linkedAtBothEnds(...[a, b]: readonly [RigNode, RigNode]): Promise<void> {
  const isLinked = () => a.transport.linkTo(b.transport.peerId) && b.transport.linkTo(a.transport.peerId);
  await until('the link at both ends', isLinked, soon);
}

test.concurrent('links replaced by simultaneous dials every 200 ms under 20 messages a second: all delivered, none twice', async () => {
  const rig = newRig();
  const options = { tuning: { drainMs: 500, tickMs: 50 } };
  const [a, b] = [await rig.node(options), await rig.node(options)];
  await a.transport.dial(b.address, { signal: signal() });
  await linkedAtBothEnds(a, b);
  const [alice, bob] = [roomOn(a), roomOn(b)];
  let isOver = false;
  const dialling = (async () => {
    while (!isOver) {
      await Promise.allSettled([
        a.transport.dial(b.address, { signal: signal() }),
        b.transport.dial(a.address, { signal: signal() }),
        realClock.sleep(200),
      ]);
    }
  })();
  const sends: Promise<unknown>[] = [];
  for (let nth = 0; nth < 120; nth += 1) {
    sends.push(
      alice.direct.send(b.modules.agent.id, Buffer.from(`to bob ${nth}`), OPTIONS, signal()),
      bob.direct.send(a.modules.agent.id, Buffer.from(`to alice ${nth}`), OPTIONS, signal()),
    );
    await realClock.sleep(50);
  }
  const results = await Promise.allSettled(sends);
  isOver = true;
  await dialling;
  expect(results.filter(({ status }) => status === 'rejected')).toEqual([]);
  await until(
    'the last deliveries',
    () => (bob.inbox.length >= 120 && alice.inbox.length >= 120) || undefined,
    soon,
  );
  for (const inbox of [bob.inbox, alice.inbox])
    expect([inbox.length, new Set(inbox).size]).toEqual([120, 120]);
  const replaced = [a, b].map(({ events }) => events.filter(({ event }) => event === 'Replaced').length);
  expect(Math.min(...replaced)).toBeGreaterThan(5);
}, 120_000);

test.concurrent('messages on a link whose path died without a word are delivered by their retry, on one new link', async () => {
  const rig = newRig();
  const [onA, onB] = [new ImpairedSocket(), new ImpairedSocket()];
  const a = await rig.node({}, { createSocket: onA.factory });
  const b = await rig.node({}, { createSocket: onB.factory });
  const membership = membershipOf(a, [b]);
  await linkedAtBothEnds(a, b);
  const [alice, bob] = [roomOn(a, membership), roomOn(b)];
  await alice.direct.send(b.modules.agent.id, Buffer.from('before'), OPTIONS, signal());
  for (const socket of [onA, onB]) socket.forgetConnections();
  const sends = Array.from({ length: 30 }, (_, nth) =>
    alice.direct.send(
      b.modules.agent.id,
      Buffer.from(`after ${nth}`),
      { ...OPTIONS, deadlineMs: 10_000 },
      signal(),
    ),
  );
  const receipts = await Promise.all(sends);
  expect(Math.max(...receipts.map(({ latencyMs }) => latencyMs))).toBeLessThan(8_000); // the retry's time, dial included
  expect(receipts.map(({ attempts }) => attempts)).toEqual(receipts.map(() => 3));
  await until('the deliveries', () => bob.inbox.length >= 31 || undefined, soon);
  expect(new Set(bob.inbox).size).toBe(31);
  expect(a.transport.stats()).toMatchObject({ dialsTotal: 2, closedByReason: { LivenessTimeout: 1 } });
}, 120_000);

test.concurrent('a known peer whose link was closed is redialled within the send, however long its back-off', async () => {
  const rig = newRig();
  const [a, b] = [await rig.node(), await rig.node()];
  const membership = membershipOf(a, [b]);
  await linkedAtBothEnds(a, b);
  const [alice, bob] = [roomOn(a, membership), roomOn(b)];
  await alice.direct.send(b.modules.agent.id, Buffer.from('before'), OPTIONS, signal());
  const rounds = [1, 2, 3, 4, 5, 6];
  for (const round of rounds) {
    b.transport.closeLink(a.transport.peerId, 'LifecycleCleanup'); // a short life each: the waits grow
    await until('the loss', () => (a.transport.linkTo(b.transport.peerId) ? undefined : true), soon);
    await alice.direct.send(b.modules.agent.id, Buffer.from(`after ${round}`), OPTIONS, signal());
  }
  expect(bob.inbox).toEqual(['before', ...rounds.map((round) => `after ${round}`)]);
}, 120_000);

test.concurrent.each(['from the opener', 'towards the opener'])(
  'a link that lost all large packets %s is found, closed by name, and redialled when the path works again',
  async (direction) => {
    const rig = newRig();
    const [onA, onB] = [new ImpairedSocket(), new ImpairedSocket()];
    const a = await rig.node({}, { createSocket: onA.factory });
    const b = await rig.node({}, { createSocket: onB.factory });
    membershipOf(a, [b]);
    await linkedAtBothEnds(a, b);
    const times = 10;
    const provers = [a, b].map(({ transport }) => {
      const prover = new LinkProver({
        transport: {
          links: () => transport.links(),
          linkTo: (peerId) => transport.linkTo(peerId),
          request: (...args) => transport.request(...args),
          closeLink: (...args) => transport.closeLink(...args),
          pathTo: (peerId) => {
            const path = transport.pathTo(peerId);
            return path && { ...path, quietMs: path.quietMs * times };
          },
        },
        clock: fastClock(times),
        log,
      });
      prover.start();
      stops.push(() => prover.stop());
      return prover;
    });
    roomOn(a);
    roomOn(b);
    await until('a proof', () => (provers[0]?.counts().provenTotal ?? 0) >= 2 || undefined, soon);
    expect(provers[1]?.counts().sentTotal).toBe(0); // one side asks for both
    const cut = direction === 'from the opener' ? onA : onB;
    cut.passOnlyUpTo(200);
    const startMs = steadyClock.nowMs();
    await until('the end of the link', () => a.events.find(({ event }) => event === 'Closed'), soon);
    expect((steadyClock.nowMs() - startMs) * times).toBeLessThan(60_000);
    for (const { events } of [a, b]) {
      const closed = await until('the close', () => events.find(({ event }) => event === 'Closed'), soon);
      expect(closed.reason).toBe('LivenessTimeout');
    }
    expect(provers[0]?.counts()).toMatchObject({ unansweredTotal: 3, linksClosedTotal: 1 });
    cut.passOnlyUpTo(Number.POSITIVE_INFINITY);
    await until('a new link', () => a.transport.linkTo(b.transport.peerId), soon);
  },
  120_000,
);
