import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { codeOf } from '../../kit/errors.ts';
import { TRAFFIC_CLASSES } from './transport.ts';
import { type RigNode, TransportRig } from './transport-rig.ts';

const signal = () => AbortSignal.timeout(30_000);
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function linkedBack(a: RigNode, b: RigNode): Promise<void> {
  await until('the responder to have the link', () => b.transport.linkTo(a.transport.peerId), {
    budgetMs: 20_000,
    everyMs: 2,
  });
}

function pattern(bytes: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, at) => (at * 31 + seed * 17 + (at >> 8)) & 0xff);
}

test('frames of every class arrive whole, in order and as themselves, both ways', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair();
  await linkedBack(a, b);
  for (const [from, to] of [[a, b] as const, [b, a] as const]) {
    const got = new Map(TRAFFIC_CLASSES.map((trafficClass) => [trafficClass, [] as string[]]));
    for (const trafficClass of TRAFFIC_CLASSES) {
      to.transport.onFrame(trafficClass, (link, frame) => {
        expect(link.peerId).toBe(from.transport.peerId);
        got.get(trafficClass)?.push(digest(frame));
      });
    }
    const sizes = [0, 1, 4_096, 20_000, 65_536, 3];
    const sent = sizes.map((bytes, index) => pattern(bytes, index));
    await Promise.all(
      TRAFFIC_CLASSES.flatMap((trafficClass) =>
        sent.map((frame) => from.transport.send(to.transport.peerId, trafficClass, frame, signal())),
      ),
    );
    await until(
      'all frames',
      () => [...got.values()].every((list) => list.length === sizes.length) || undefined,
      {
        budgetMs: 20_000,
        everyMs: 5,
      },
    );
    for (const list of got.values()) expect(list).toEqual(sent.map(digest));
  }
});

test('a 16 MiB message goes through on bulk and frees every buffer', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair();
  const received = Promise.withResolvers<string>();
  b.transport.onFrame('bulk', (_link, frame) => received.resolve(digest(frame)));
  const message = Buffer.alloc(16 * 1024 * 1024, 'meshproof');
  await a.transport.send(b.transport.peerId, 'bulk', message, signal());
  expect(await received.promise).toBe(digest(message));
  expect(a.transport.stats()).toMatchObject({ sendQueueBytes: 0 });
  expect(b.transport.stats()).toMatchObject({ receiveBufferedBytes: 0, malformedFramesTotal: 0 });
});

test('a frame past the bound of its class is refused before it is queued', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair();
  const frame = new Uint8Array(64 * 1024 + 1);
  await expect(a.transport.send(b.transport.peerId, 'control', frame, signal())).rejects.toMatchObject({
    code: 'FRAME_TOO_LARGE',
  });
});

test('a handler that takes its time holds the sender back until its queue is full, and control still passes', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair({ tuning: { sendQueueBytesPerLink: 4 * 1024 * 1024 } });
  const release = Promise.withResolvers<void>();
  let delivered = 0;
  b.transport.onFrame('gossip', () => {
    delivered += 1;
    return release.promise;
  });
  const control = Promise.withResolvers<void>();
  b.transport.onFrame('control', () => control.resolve());

  const frame = new Uint8Array(1024 * 1024);
  const sends: Promise<string>[] = [];
  const isFull = until(
    'the queue to fill',
    () => {
      if (sends.length > 60) return true; // the windows of QUIC and the queue together hold less
      const send = a.transport.send(b.transport.peerId, 'gossip', frame, signal());
      sends.push(send.then(() => 'sent', codeOf));
      return undefined;
    },
    { budgetMs: 20_000, everyMs: 1 },
  );
  await isFull;
  expect(delivered).toBe(1);
  expect(a.transport.stats().sendQueueHighWaterTotal).toBeGreaterThanOrEqual(1);
  await a.transport.send(b.transport.peerId, 'control', new Uint8Array(8), signal());
  await control.promise;

  release.resolve();
  const outcomes = await Promise.all(sends);
  const accepted = outcomes.filter((outcome) => outcome === 'sent').length;
  expect(new Set(outcomes)).toEqual(new Set(['sent', 'SEND_QUEUE_FULL']));
  await until('the accepted frames', () => delivered === accepted || undefined, {
    budgetMs: 20_000,
    everyMs: 5,
  });
});

test('a send given up in the middle of its frame never shows as a short frame', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair();
  const release = Promise.withResolvers<void>();
  const got: string[] = [];
  b.transport.onFrame('bulk', (_link, frame) => {
    got.push(digest(frame));
    return release.promise;
  });
  const first = pattern(10, 1);
  const large = new Uint8Array(15 * 1024 * 1024).fill(7);
  const last = pattern(2_000, 2);
  await a.transport.send(b.transport.peerId, 'bulk', first, signal());
  const controller = new AbortController();
  const abandoned = a.transport.send(b.transport.peerId, 'bulk', large, controller.signal);
  const untouched = a.transport.send(b.transport.peerId, 'bulk', pattern(99, 3), controller.signal);
  await until(
    'part of the frame to leave',
    () => (a.transport.stats().links[0]?.sentBytes ?? 0) > 500_000 || undefined,
    {
      budgetMs: 20_000,
      everyMs: 1,
    },
  );
  controller.abort(new Error('given up'));
  await expect(abandoned).rejects.toThrow('given up');
  await expect(untouched).rejects.toThrow('given up');
  const sent = a.transport.send(b.transport.peerId, 'bulk', last, signal());
  release.resolve();
  await sent;
  await until('the last frame', () => got.includes(digest(last)) || undefined, {
    budgetMs: 20_000,
    everyMs: 5,
  });
  expect(got).toEqual([digest(first), digest(large), digest(last)]);
  expect(b.transport.stats().malformedFramesTotal).toBe(0);
});

test('10,000 requests over one connection leave no stream and no buffer behind', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair();
  b.transport.onRequest(async (_link, body) => body.subarray(0, 4));
  const body = Buffer.alloc(64);
  for (let sent = 0; sent < 10_000; sent += 100) {
    await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const own = Buffer.from(body);
        own.writeUInt32BE(sent + index);
        const reply = await a.transport.request(b.transport.peerId, own, signal());
        expect(Buffer.from(reply).readUInt32BE()).toBe(sent + index);
      }),
    );
  }
  expect(a.transport.stats()).toMatchObject({
    sendQueueBytes: 0,
    receiveBufferedBytes: 0,
    openConnections: 1,
  });
  expect(b.transport.stats()).toMatchObject({ sendQueueBytes: 0, receiveBufferedBytes: 0 });
});

test('64 concurrent requests of different sizes each get their own reply', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair();
  b.transport.onRequest(async (_link, body) => Buffer.from(digest(body)));
  await Promise.all(
    Array.from({ length: 64 }, async (_, index) => {
      const body = pattern(index * 3_000, index);
      const reply = await a.transport.request(b.transport.peerId, body, signal());
      expect(Buffer.from(reply).toString()).toBe(digest(body));
    }),
  );
});

test('a request whose handler fails is reset, and the connection goes on', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair();
  b.transport.onRequest(async (_link, body) => {
    if (body.length === 0) throw new Error('no');
    return body;
  });
  await expect(a.transport.request(b.transport.peerId, new Uint8Array(0), signal())).rejects.toMatchObject({
    code: 'REQUEST_RESET',
  });
  expect(await a.transport.request(b.transport.peerId, pattern(5, 1), signal())).toHaveLength(5);
});

test('a request that is given up aborts the handler at the other end', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair({ tuning: { tickMs: 20 } });
  const started = Promise.withResolvers<AbortSignal>();
  b.transport.onRequest((_link, _body, handling) => {
    started.resolve(handling);
    return new Promise<Uint8Array>((_, reject) =>
      handling.addEventListener('abort', () => reject(handling.reason)),
    );
  });
  const controller = new AbortController();
  const request = a.transport.request(b.transport.peerId, pattern(9, 1), controller.signal);
  const handling = await started.promise;
  controller.abort(new Error('too late'));
  await expect(request).rejects.toThrow('too late');
  await until('the handler to hear of it', () => handling.aborted || undefined, {
    budgetMs: 20_000,
    everyMs: 2,
  });
});

test('without a link, and without a transport, a send says so', async () => {
  await using rig = new TransportRig();
  const node = await rig.node();
  const nobody = 'f'.repeat(64);
  await expect(node.transport.send(nobody, 'gossip', pattern(1, 1), signal())).rejects.toMatchObject({
    code: 'NO_LINK',
  });
  await expect(node.transport.request(nobody, pattern(1, 1), signal())).rejects.toMatchObject({
    code: 'NO_LINK',
  });
  await node.transport.stop();
  await expect(node.transport.dial(node.address, { signal: signal() })).rejects.toMatchObject({
    code: 'TRANSPORT_STOPPED',
  });
});

test('requests take room in the send queue, and give it back when they are given up', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair({ tuning: { sendQueueBytesPerLink: 100_000 } });
  const controller = new AbortController();
  const body = new Uint8Array(60_000);
  const first = a.transport.request(b.transport.peerId, body, controller.signal).catch(codeOf);
  expect(a.transport.stats().sendQueueBytes).toBe(60_005);
  await expect(a.transport.request(b.transport.peerId, body, signal())).rejects.toMatchObject({
    code: 'SEND_QUEUE_FULL',
  });
  controller.abort();
  await first;
  expect(a.transport.stats().sendQueueBytes).toBe(0);
});

test('requests given up before they leave cost no stream of the connection', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair({ tuning: { streamsPerConnection: 8 } });
  b.transport.onRequest(async (_link, body) => body);
  for (let turn = 0; turn < 20; turn += 1) {
    const controller = new AbortController();
    const given = a.transport.request(b.transport.peerId, pattern(3, 1), controller.signal).catch(() => 'up');
    controller.abort();
    expect(await given).toBe('up');
    expect(await a.transport.request(b.transport.peerId, pattern(3, turn), signal())).toEqual(
      Buffer.from(pattern(3, turn)),
    );
  }
});

test('a request tells its sender when it is opened, written and finished, before its reply is there', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair();
  b.transport.onRequest(async (_link, body) => body);
  const steps: string[] = [];
  const reply = a.transport.request(b.transport.peerId, pattern(200_000, 1), signal(), (step) =>
    steps.push(step),
  );
  expect(steps).toEqual([]);
  await reply.then(() => steps.push('replied'));
  expect(steps).toEqual(['opened', 'written', 'finished', 'replied']);
});
