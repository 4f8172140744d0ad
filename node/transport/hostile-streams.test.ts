import { expect, test } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { ShiftedClock } from './fixture-clocks.ts';
import { encodeFrame } from './frames.ts';
import { hostilePeer } from './hostile-rig.ts';
import type { QuicConnection } from './quic-connection.ts';
import type { QuicTransportModules } from './quic-transport.ts';
import { type RigNode, TransportRig } from './transport-rig.ts';
import type { TransportTuning } from './tuning.ts';

const soon = { budgetMs: 20_000, everyMs: 2 };
const HALF_A_FRAME = Buffer.from([0, 1, 0, 0, 1, 7, 7, 7]); // 64 KiB are promised, three bytes come
const HELD_FOR_HALF_BYTES = 5 + 64 * 1024;

async function attack(
  rig: TransportRig,
  tuning: Partial<TransportTuning> = {},
  modules: Partial<QuicTransportModules> = {},
): Promise<{ target: RigNode; connection: QuicConnection; [Symbol.asyncDispose](): Promise<void> }> {
  const target = await rig.node({ tuning }, modules);
  const hostile = await hostilePeer((await rig.node()).modules);
  const connection = await hostile.linked(target);
  await until('the link', () => target.transport.links()[0], soon);
  return { target, connection, [Symbol.asyncDispose]: () => hostile[Symbol.asyncDispose]() };
}

function say(connection: QuicConnection, streamId: number, bytes: Uint8Array): void {
  connection.native.streamSend(streamId, bytes, false);
  connection.ping();
}

test('a second stream of a class ends the link, so that half a frame per class is all a peer can park', async () => {
  await using rig = new TransportRig();
  await using scene = await attack(rig);
  const { target, connection } = scene;
  say(connection, 6, Buffer.concat([Buffer.from([2]), HALF_A_FRAME]));
  await until('it to be held', () => target.transport.stats().receiveBufferedBytes || undefined, soon);
  expect(target.transport.stats().receiveBufferedBytes).toBe(HELD_FOR_HALF_BYTES);
  say(connection, 10, Buffer.concat([Buffer.from([2]), HALF_A_FRAME]));
  await until('the link to end', () => target.events.find(({ event }) => event === 'Closed'), soon);
  expect(target.transport.stats()).toMatchObject({
    malformedFramesTotal: 1,
    readerExitedTotal: 1,
    receiveBufferedBytes: 0,
  });
});

test('a peer is granted no more one-way streams than there are classes, and four', async () => {
  await using rig = new TransportRig();
  await using scene = await attack(rig);
  const { native } = scene.connection;
  const open = (index: number) => native.streamSend(index * 4 + 2, Buffer.alloc(0), false);
  expect(() => open(7)).not.toThrow();
  expect(() => open(8)).toThrow(/StreamLimit/);
});

test('half-sent requests are reset when they stand still, counted, and free what they held', async () => {
  await using rig = new TransportRig();
  const clock = new ShiftedClock();
  await using scene = await attack(
    rig,
    { requestStallMs: 20_000, tickMs: 10, idleTimeoutMs: 10_000_000 },
    { clock },
  );
  const { target, connection } = scene;
  target.transport.onRequest(async (_link, body) => body);
  say(connection, 4, HALF_A_FRAME);
  say(connection, 8, Buffer.from([0])); // not even a header
  await until(
    'both to be seen',
    () => target.transport.stats().receiveBufferedBytes > HELD_FOR_HALF_BYTES || undefined,
    soon,
  );
  const haveGone = () => {
    clock.aheadMs += 20_000; // from when a look has seen them
    return target.transport.stats().expiredRequestsTotal === 2 || undefined;
  };
  await until('both to go', haveGone, { ...soon, everyMs: 50 });
  expect(target.transport.stats().receiveBufferedBytes).toBe(0);
  expect(target.transport.links()).toHaveLength(1);
});

test('half-sent frames count against what half-sent requests may hold', async () => {
  await using rig = new TransportRig();
  await using scene = await attack(rig, { receiveBytesPerLink: 100_000 });
  const { target, connection } = scene;
  let handled = 0;
  target.transport.onRequest(async (_link, body) => {
    handled += 1;
    return body;
  });
  say(connection, 4, HALF_A_FRAME);
  await until(
    'the request to be held',
    () => target.transport.stats().receiveBufferedBytes || undefined,
    soon,
  );
  say(connection, 6, Buffer.concat([Buffer.from([2]), HALF_A_FRAME]));
  await until(
    'the frame to be held too',
    () => target.transport.stats().receiveBufferedBytes === 2 * HELD_FOR_HALF_BYTES || undefined,
    soon,
  );
  say(connection, 4, Buffer.from([7]));
  await until(
    'the request to go',
    () => target.transport.stats().receiveBufferedBytes === HELD_FOR_HALF_BYTES || undefined,
    soon,
  );
  connection.native.streamSend(8, encodeFrame(Buffer.alloc(8)), true); // a whole one still has room
  connection.ping();
  await until('a whole request to be answered', () => handled || undefined, soon);
});
