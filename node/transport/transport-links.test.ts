import { createSocket, type Socket } from 'node:dgram';
import { expect, test } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { ShiftedClock } from './fixture-clocks.ts';
import { type RigNode, TransportRig } from './transport-rig.ts';
import { DEFAULT_TUNING } from './tuning.ts';

const signal = () => AbortSignal.timeout(30_000);
const soon = { budgetMs: 20_000, everyMs: 5 };

function isSettled(...nodes: readonly RigNode[]): boolean {
  return nodes.every(({ transport }) => transport.stats().openConnections === transport.links().length);
}

// A frame carries no acknowledgement: what QUIC took on a link that was then superseded arrives if it can within the
// drain. Both ends live in this process, whose hundred hellos can hold it up for a second or more.
test('100 simultaneous dials leave both ends with the same one connection, and every message arrives in its drain', async () => {
  await using rig = new TransportRig();
  const options = { tuning: { tickMs: 50, drainMs: 8_000 } };
  const [a, b] = [await rig.node(options), await rig.node(options)];
  const got: string[] = [];
  b.transport.onFrame('direct', (_link, frame) => void got.push(Buffer.from(frame).toString()));
  const dials = Array.from({ length: 100 }, (_, index) =>
    index % 2 === 0
      ? a.transport.dial(b.address, { signal: signal() })
      : b.transport.dial(a.address, { signal: signal() }),
  );
  const sent: string[] = [];
  const sending = (async () => {
    await until('a first link', () => a.transport.linkTo(b.transport.peerId), soon);
    for (let count = 0; count < 200; count += 1) {
      await a.transport.send(b.transport.peerId, 'direct', Buffer.from(`message ${count}`), signal());
      sent.push(`message ${count}`);
    }
  })();
  await Promise.all([...dials, sending]);
  const drained = { budgetMs: 30_000, everyMs: 20 };
  await until('the superseded connections to go', () => isSettled(a, b) || undefined, drained);
  expect(a.transport.links()).toHaveLength(1);
  expect(b.transport.links()).toHaveLength(1);
  expect(a.transport.connectionIdOf(b.transport.peerId)).toBe(b.transport.connectionIdOf(a.transport.peerId));
  await a.transport.send(b.transport.peerId, 'direct', Buffer.from('after'), signal());
  await until('the messages', () => got.includes('after') || undefined, soon);
  expect(new Set(got)).toEqual(new Set([...sent, 'after']));
  expect(got).toHaveLength(201);
  const { establishedTotal, replacedTotal, disconnectsTotal } = a.transport.stats();
  expect(establishedTotal - replacedTotal).toBe(1);
  expect(disconnectsTotal).toBe(0);
  expect(a.transport.linkTo(b.transport.peerId)?.generation).toBe(establishedTotal);
}, 60_000);

test('a replaced link is announced, drains and closes by name; the peer is never without a link', async () => {
  await using rig = new TransportRig();
  const options = { tuning: { drainMs: 100, tickMs: 20 } };
  const [a, b] = [await rig.node(options), await rig.node(options)];
  await a.transport.dial(b.address, { signal: signal() });
  const second = await a.transport.dial(b.address, { signal: signal() });
  expect(second.generation).toBe(2);
  await until('the first to close', () => a.events.find(({ event }) => event === 'Closed'), soon);
  const story = a.events.map(({ event, link, reason }) => [event, link.generation, reason]);
  expect(story).toEqual([
    ['Established', 1, null],
    ['Replaced', 1, 'Superseded'],
    ['Established', 2, null],
    ['Closing', 1, 'Superseded'],
    ['Closed', 1, 'Superseded'],
  ]);
});

test('nobody hears of a connection that lost a race: it never was a link, and its end is none', async () => {
  await using rig = new TransportRig();
  const options = { tuning: { drainMs: 100, tickMs: 20 } };
  const pair = [await rig.node(options), await rig.node(options)];
  const [low, high] = pair.toSorted((a, b) => (a.transport.peerId < b.transport.peerId ? -1 : 1));
  if (low === undefined || high === undefined) throw new Error('two nodes were started');
  const kept = await high.transport.dial(low.address, { signal: signal() });
  await until('the other side', () => low.transport.linkTo(high.transport.peerId), soon);
  // Within the window of simultaneity the larger peer id's connection stands, so that this one loses.
  await low.transport.dial(high.address, { signal: signal() });
  for (const { transport } of [low, high])
    await until('it to drain', () => transport.stats().openConnections === 1 || undefined, soon);
  for (const { transport, events } of [low, high]) {
    expect(events.map(({ event }) => event)).toEqual(['Established']);
    expect(transport.stats()).toMatchObject({ establishedTotal: 1, replacedTotal: 0, closedTotal: 0 });
  }
  expect(high.transport.linkTo(low.transport.peerId)).toBe(kept);
});

test('a node that has all the links it may have refuses the next peer by name on both sides', async () => {
  await using rig = new TransportRig();
  const full = await rig.node({ tuning: { maxLinks: 2 } });
  const members = [await rig.node(), await rig.node()];
  for (const { transport } of members) await transport.dial(full.address, { signal: signal() });
  await until('both links', () => full.transport.links().length === 2 || undefined, soon);
  const late = await rig.node();
  await expect(late.transport.dial(full.address, { signal: signal() })).rejects.toMatchObject({
    code: 'TOO_MANY_LINKS',
  });
  for (const { transport } of [full, late]) {
    expect(transport.stats().helloRefusalsByReason).toEqual({ TOO_MANY_LINKS: 1 });
  }
  expect(full.transport.links()).toHaveLength(2);
  await members[0]?.transport.dial(full.address, { signal: signal() }); // who is in may come again
});

test('strangers that come at the same time share the room that is left, and no more', async () => {
  await using rig = new TransportRig();
  const full = await rig.node({ tuning: { maxLinks: 2 } });
  const crowd = await Promise.all(Array.from({ length: 6 }, () => rig.node()));
  await Promise.allSettled(crowd.map(({ transport }) => transport.dial(full.address, { signal: signal() })));
  const refused = () => full.transport.stats().helloRefusalsByReason.TOO_MANY_LINKS === 4 || undefined;
  await until('four to be refused', refused, soon);
  expect(full.transport.links()).toHaveLength(2);
});

test('a dial to a peer that has a link gives that link', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair();
  const expected = b.transport.peerId;
  const again = await a.transport.dial(b.address, { expected, signal: signal() });
  expect(again).toBe(a.transport.linkTo(expected));
  expect(a.transport.stats()).toMatchObject({ dialsTotal: 1, connectsWhileConnectedTotal: 1 });
});

test('a node that stops is gone at its peers at once, with its sends and requests rejected', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair();
  b.transport.onRequest(() => new Promise(() => {}));
  const request = a.transport.request(b.transport.peerId, new Uint8Array(3), signal());
  const outcome = request.catch((error: unknown) => error);
  await until('the other side', () => b.transport.linkTo(a.transport.peerId), soon);
  await b.transport.stop();
  expect(await outcome).toMatchObject({ code: 'LINK_CLOSED', details: { reason: 'PeerShutdown' } });
  await until('the link to go', () => a.transport.links().length === 0 || undefined, {
    budgetMs: 20_000,
    everyMs: 2,
  });
  expect(a.events.map(({ event, reason }) => [event, reason])).toEqual([
    ['Established', null],
    ['Closing', 'PeerShutdown'],
    ['Closed', 'PeerShutdown'],
  ]);
  expect(b.transport.links()).toEqual([]);
});

test('a stopped transport can start again on its port and be dialled', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair();
  await b.transport.stop();
  const reborn = await rig.node({ bind: b.address }, { machine: b.modules.machine, agent: b.modules.agent });
  const link = await a.transport
    .dial(reborn.address, { expected: b.transport.peerId, signal: signal() })
    .catch(
      async () => await a.transport.dial(reborn.address, { expected: b.transport.peerId, signal: signal() }),
    );
  expect(link.peerId).toBe(reborn.transport.peerId);
});

test('a peer that falls silent leaves links() by the idle timeout, pings or not', async () => {
  await using rig = new TransportRig();
  let isCut = false;
  const createCuttable = (): Socket => {
    const socket = createSocket({ type: 'udp4', lookup: (host, _options, done) => done(null, host, 4) });
    const emit = socket.emit.bind(socket);
    socket.emit = (name: string, ...rest: unknown[]) =>
      isCut && name === 'message' ? true : emit(name, ...rest);
    return socket;
  };
  const { idleTimeoutMs, keepAliveMs } = DEFAULT_TUNING;
  const clock = new ShiftedClock();
  const tuning = { tickMs: 20 };
  const a = await rig.node({ tuning }, { clock, createSocket: createCuttable });
  const b = await rig.node({ tuning }, { clock });
  await a.transport.dial(b.address, { signal: signal() });
  for (let keptMs = 0; keptMs <= 2 * idleTimeoutMs; keptMs += keepAliveMs) {
    clock.aheadMs += keepAliveMs;
    const isHeard = () => {
      const path = a.transport.pathTo(b.transport.peerId);
      return path === undefined || path.quietMs < keepAliveMs || undefined;
    };
    await until('a keep-alive to be answered', isHeard, soon);
  }
  expect(a.transport.links(), 'keep-alives hold a quiet link').toHaveLength(1);
  isCut = true;
  const sentBefore = a.transport.stats().links[0]?.sentPackets ?? 0;
  clock.aheadMs += keepAliveMs;
  const hasAsked = () => (a.transport.stats().links[0]?.sentPackets ?? 0) > sentBefore || undefined;
  await until('a ping that nobody answers', hasAsked, soon);
  clock.aheadMs += idleTimeoutMs - keepAliveMs;
  await until('the silence to be noticed', () => a.events.find(({ event }) => event === 'Closed'), soon);
  expect(a.events.at(-1)).toMatchObject({ event: 'Closed', reason: 'LivenessTimeout' });
  expect(a.transport.links()).toEqual([]);
});

test('a socket that fails to send 1 % of its packets loses no message and no link', async () => {
  await using rig = new TransportRig();
  let packets = 0;
  const createFailing = (): Socket => {
    const socket = createSocket({ type: 'udp4', lookup: (host, _options, done) => done(null, host, 4) });
    const send = socket.send.bind(socket);
    const failing = (...args: Parameters<typeof send>) => {
      packets += 1;
      if (packets % 100 !== 0) return send(...args);
      if (packets % 200 === 0) throw Object.assign(new Error('send EPERM'), { code: 'EPERM' });
      const done = args.at(-1);
      if (typeof done === 'function') done(Object.assign(new Error('send ENOBUFS'), { code: 'ENOBUFS' }), 0);
      socket.emit('error', Object.assign(new Error('recvmsg ECONNREFUSED'), { code: 'ECONNREFUSED' }));
    };
    socket.send = failing as typeof socket.send;
    return socket;
  };
  const [a, b] = [await rig.node({}, { createSocket: createFailing }), await rig.node()];
  let received = 0;
  b.transport.onFrame('gossip', () => {
    received += 1;
  });
  await a.transport.dial(b.address, { signal: signal() });
  for (let batch = 0; batch < 50; batch += 1) {
    await Promise.all(
      Array.from({ length: 20 }, () =>
        a.transport.send(b.transport.peerId, 'gossip', new Uint8Array(20_000), signal()),
      ),
    );
  }
  await until('every frame', () => received === 1_000 || undefined, { budgetMs: 20_000, everyMs: 10 });
  expect(a.transport.stats().socketSendErrorsTotal).toBeGreaterThan(5);
  expect(a.events.map(({ event }) => event)).toEqual(['Established']);
});

test('a port in use is named', async () => {
  await using rig = new TransportRig();
  const { address } = await rig.node();
  await expect(rig.node({ bind: address })).rejects.toMatchObject({
    code: 'UDP_BIND_FAILED',
    details: { host: '127.0.0.1', port: address.port, errno: 'EADDRINUSE' },
  });
});

test('a dual-stack node is reached over IPv4 and IPv6 and shows plain addresses', async () => {
  await using rig = new TransportRig();
  const dual = await rig.node({ bind: { host: '::', port: 0 } });
  const v4 = await rig.node();
  const v6 = await rig.node({ bind: { host: '::1', port: 0 } });
  const overV4 = await v4.transport.dial(
    { host: '127.0.0.1', port: dual.address.port },
    { signal: signal() },
  );
  expect(overV4.listenAddress).toEqual({ host: '127.0.0.1', port: dual.address.port });
  await v6.transport.dial({ host: '::1', port: dual.address.port }, { signal: signal() });
  await until('both links', () => dual.transport.links().length === 2 || undefined, soon);
  expect(dual.transport.linkTo(v4.transport.peerId)?.remote).toEqual(v4.address);
  const back = await dual.transport.dial(v4.address, { signal: signal() });
  expect(back.peerId).toBe(v4.transport.peerId);
});

// Timers that became due while the process was held up run in one turn, before anything is sent: after a pause, or on a
// busy machine, a message is often queued right before a look at its link.
test('a link that was idle has not stalled when something was queued right before a look at it', async () => {
  await using rig = new TransportRig();
  const clock = new ShiftedClock();
  const tuning = { stallMs: 20_000, tickMs: 20, keepAliveMs: 1_000_000, idleTimeoutMs: 2_000_000 };
  const [a, b] = [await rig.node({ tuning }, { clock }), await rig.node({ tuning })];
  const { transport } = a;
  await transport.dial(b.address, { signal: signal() });
  const { peerId } = b.transport;
  for (let time = 1; time <= 5; time += 1) {
    clock.aheadMs += 2 * tuning.stallMs;
    const sent = new Promise<void>((resolve, reject) =>
      setTimeout(() =>
        transport.send(peerId, 'control', Buffer.from('hello'), signal()).then(resolve, reject),
      ),
    );
    const heldUpUntilMs = performance.now() + 3 * tuning.tickMs;
    while (performance.now() < heldUpUntilMs);
    await sent;
  }
  expect(a.events.map(({ event }) => event)).toEqual(['Established']);
});
