import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { Random } from '../../kit/random.ts';
import { steadyClock } from '../transport/fixture-clocks.ts';
import { ImpairedSocket } from '../transport/impaired-socket.ts';
import { type RigNode, TransportRig } from '../transport/transport-rig.ts';
import { PubSub } from './pubsub.ts';

const soon = { budgetMs: 40_000, everyMs: 5 };
const MEBIBYTE = 1_048_576;

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** What is held in this process, once what nobody needs is gone. */
function heldBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function gossipOn(
  { transport, modules }: RigNode,
  verifiesAfter: Promise<unknown> = Promise.resolve(),
): PubSub {
  const { signing } = modules;
  const pubsub = new PubSub(
    { publishQueue: 2_000 },
    {
      ...modules,
      transport,
      clock: steadyClock,
      random: new Random(1),
      signing: {
        ...signing,
        verify: async (...args) => {
          await verifiesAfter;
          return await signing.verify(...args);
        },
      },
    },
  );
  transport.onFrame('control', (link, frame) => void pubsub.handleControlFrame(link, frame));
  pubsub.start();
  return pubsub;
}

/** Counts the messages of `topic` that reach `pubsub`. */
function countOf(pubsub: PubSub, topic: string): () => number {
  let count = 0;
  pubsub.subscribe(topic, () => {
    count += 1;
  });
  return () => count;
}

/** Holds once `figure` has been the same for 300 ms. */
function unchanged(figure: () => number): () => true | undefined {
  let [last, sinceMs] = [Number.NaN, 0];
  return () => {
    if (figure() !== last) [last, sinceMs] = [figure(), performance.now()];
    return performance.now() - sinceMs > 300 || undefined;
  };
}

it('a node that cannot keep up with a peer reads no further of its messages, and loses none of them', async () => {
  await using rig = new TransportRig();
  const [fast, slow] = await rig.pair();
  const gate = Promise.withResolvers<void>();
  const [sender, receiver] = [gossipOn(fast), gossipOn(slow, gate.promise)];
  const received = countOf(receiver, 'flood');
  const pumpOf = (pubsub: PubSub) => pubsub.diagnostics().recv_pump.pubsub;
  const count = 1_500; // 11 MB: more than QUIC takes for a stream that nobody reads
  await Promise.all(Array.from({ length: count }, () => sender.publish('flood', new Uint8Array(4_096))));
  await until('the pause', () => pumpOf(receiver).pauses_total || undefined, soon);
  await until(
    'nothing more to come',
    unchanged(() => pumpOf(receiver).produced_total),
    soon,
  );
  expect(pumpOf(receiver).latest_depth).toBeLessThan(2 * 64);
  gate.resolve();
  await until('all of them', () => received() === count || undefined, soon);
  expect(pumpOf(receiver)).toMatchObject({ dropped_full: 0, shed_priority: 0 });
  await Promise.all([sender.stop(), receiver.stop()]);
});

it('a peer that takes nothing costs its sender bounded memory, and other topics and peers nothing', async () => {
  await using rig = new TransportRig();
  const path = new ImpairedSocket();
  const us = await rig.node({}, { createSocket: path.factory });
  const [stuck, healthy] = [await rig.node(), await rig.node()];
  const rooms = [us, stuck, healthy].map((node) => gossipOn(node));
  const [sender, , other] = rooms;
  if (!sender || !other) throw new RangeError('there are three rooms');
  const dial = ({ address }: RigNode) => us.transport.dial(address, { signal: AbortSignal.timeout(30_000) });
  await dial(stuck);
  path.forgetConnections(); // from here on nothing reaches it, and it answers nothing
  await dial(healthy);
  const received = countOf(other, 'quiet');
  const before = heldBytes();
  const payload = new Uint8Array(16_384);
  for (let batch = 0; batch < 20; batch += 1)
    await Promise.all(Array.from({ length: 250 }, () => sender.publish('flood', payload))); // 98 MB in all
  const grown = heldBytes() - before;
  await sender.publish('quiet', payload);
  await until('the other topic', () => received() === 1 || undefined, soon);
  const { outbound_budget_exhausted: exhausted } = sender.diagnostics().pubsub_stages;
  expect(grown).toBeLessThan(64 * MEBIBYTE);
  expect(exhausted).toBeGreaterThan(0);
  for (const room of rooms) await room.stop();
}, 60_000);
