import fc from 'fast-check';
import { expect, test } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { encodeFrame } from './frames.ts';
import { hostilePeer } from './hostile-rig.ts';
import { TransportRig } from './transport-rig.ts';

const soon = { budgetMs: 20_000, everyMs: 2 };

test('more than 16 KiB in place of a hello is refused by name', async () => {
  await using rig = new TransportRig();
  const target = await rig.node();
  await using hostile = await hostilePeer((await rig.node()).modules);
  expect(await hostile.saysInstead(target, 0, encodeFrame(new Uint8Array(20_000)))).toBe('HELLO_TOO_LARGE');
  const flood = Buffer.concat(Array.from({ length: 300 }, () => encodeFrame(Buffer.alloc(64, 2))));
  expect(await hostile.saysInstead(target, 0, flood)).toMatch(/^HELLO_(TOO_LARGE|MALFORMED)$/);
  expect(target.transport.links()).toEqual([]);
});

test('any bytes in place of a hello end in a named refusal and no link', async () => {
  await using rig = new TransportRig();
  const target = await rig.node({ tuning: { helloTimeoutMs: 60 } });
  await using hostile = await hostilePeer((await rig.node()).modules);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
      expect(await hostile.saysInstead(target, 0, bytes)).toMatch(/^(HELLO_|PROTOCOL_VERSION)/);
    }),
    { numRuns: 30 },
  );
  expect(target.events).toEqual([]);
  await until(
    'every connection to go',
    () => target.transport.stats().openConnections === 0 || undefined,
    soon,
  );
});

test('frames sent before the hello reach no handler', async () => {
  await using rig = new TransportRig();
  const target = await rig.node({ tuning: { helloTimeoutMs: 100 } });
  let handled = 0;
  target.transport.onFrame('control', () => {
    handled += 1;
  });
  await using hostile = await hostilePeer((await rig.node()).modules);
  const early = Buffer.concat([Buffer.from([0]), encodeFrame(Buffer.from('early'))]);
  expect(await hostile.saysInstead(target, 2, early)).toBe('HELLO_TIMEOUT');
  expect(handled).toBe(0);
});

test.each([
  ['an unknown traffic class', 6, Buffer.from([9, 0, 0, 0, 0, 1])],
  ['a frame of another version', 6, Buffer.from([1, 0, 0, 0, 1, 7, 0])],
  ['a frame past its bound', 10, Buffer.from([2, 0x7f, 0, 0, 0, 1])],
])('a proven peer that sends %s loses its link, and it is counted', async (_name, streamId, bytes) => {
  await using rig = new TransportRig();
  const target = await rig.node();
  await using hostile = await hostilePeer((await rig.node()).modules);
  const connection = await hostile.linked(target);
  await until('the link', () => target.transport.links()[0], soon);
  connection.native.streamSend(streamId, bytes, false);
  connection.ping();
  await until('the link to end', () => target.events.find(({ event }) => event === 'Closed'), soon);
  expect(target.events.map(({ event }) => event)).toEqual([
    'Established',
    'ReaderExited',
    'Closing',
    'Closed',
  ]);
  expect(target.transport.stats()).toMatchObject({
    malformedFramesTotal: 1,
    readerExitedTotal: 1,
    disconnectsTotal: 1,
  });
  expect(target.transport.links()).toEqual([]);
});

test('a malformed request resets its stream only', async () => {
  await using rig = new TransportRig();
  const target = await rig.node();
  target.transport.onRequest(async (_link, body) => body);
  await using hostile = await hostilePeer((await rig.node()).modules);
  const connection = await hostile.linked(target);
  await until('the link', () => target.transport.links()[0], soon);
  connection.native.streamSend(4, Buffer.from([0, 0, 0, 9, 1, 1]), true); // ends inside its frame
  connection.ping();
  await until('it to be counted', () => target.transport.stats().malformedFramesTotal || undefined, soon);
  expect(target.transport.links()).toHaveLength(1);
});
