import { afterEach, expect, test } from 'vitest';
import { VirtualClock } from '../../kit/clock.ts';
import { createSigning } from '../../kit/create-signing.ts';
import { until } from '../../kit/deadline.ts';
import { sha256Hex } from '../../kit/hash.ts';
import { Random } from '../../kit/random.ts';
import { MemoryHub, type MemoryTransport } from '../sim/memory-transport.ts';
import { cheapSigning, writerNamed } from './log-fixture.ts';
import type { LogLimits } from './log-store.ts';
import { ReplicatedLog } from './replicated-log.ts';

const log = { warn: () => {}, debug: () => {} };
const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

interface Member {
  readonly transport: MemoryTransport;
  readonly log: ReplicatedLog;
}

function meshOf(size: number, limits: Partial<LogLimits> = {}) {
  const clock = new VirtualClock();
  const hub = new MemoryHub();
  const members: Member[] = Array.from({ length: size }, (_, at) => {
    const agent = writerNamed(`agent ${at}`);
    const transport = hub.join({
      peerId: sha256Hex(`machine ${at}`),
      agentId: agent.id,
      agentPublicKey: agent.publicKey,
    });
    const modules = { transport, agent, signing: cheapSigning, clock, random: new Random(at), log };
    const member = { transport, log: new ReplicatedLog(limits, modules) };
    transport.onFrame('control', (link, frame) => void member.log.handleControlFrame(link, frame));
    member.log.start();
    stops.push(() => member.log.stop());
    return member;
  });
  return { clock, hub, members };
}

type Mesh = ReturnType<typeof meshOf>;

const headsOf = ({ members }: Mesh, topic: string) =>
  members.map((member) => {
    const head = member.log.headOf(topic);
    return `${head.height} ${Buffer.from(head.headHash).toString('hex')}`;
  });

/** Moves time until all members show `height` and one head; gives how long that took. */
async function untilEqual(mesh: Mesh, height: number, topic = 't'): Promise<number> {
  const startMs = mesh.clock.nowMs();
  await until(
    `${height} entries everywhere`,
    async () => {
      await mesh.clock.advance(100);
      const heads = headsOf(mesh, topic);
      return new Set(heads).size === 1 && heads[0]?.startsWith(`${height} `) ? true : undefined;
    },
    { budgetMs: 10_000, everyMs: 1 },
  );
  return mesh.clock.nowMs() - startMs;
}
const append = ({ members }: Mesh, at: number, text: string, topic = 't') =>
  members[at]?.log.append(topic, Buffer.from(text));

test('what anyone appends is on every linked node at once, without waiting for a round', async () => {
  const mesh = meshOf(4);
  mesh.hub.connectAll();
  const results = await Promise.all(
    Array.from({ length: 100 }, (_, nth) => append(mesh, nth % 4, `entry ${nth}`)),
  );
  expect(await untilEqual(mesh, 100)).toBeLessThanOrEqual(500);
  expect(results.map((result) => result?.seq)).toEqual(
    Array.from({ length: 100 }, (_, nth) => 1 + Math.floor(nth / 4)),
  );
  expect(mesh.members[2]?.log.headOf('t').origins.map(({ lastSeq }) => lastSeq)).toEqual([25, 25, 25, 25]);
});

test('a mesh cut in two halves that both write is equal again as soon as one link is back', async () => {
  const mesh = meshOf(4);
  const [a, b, c, d] = mesh.members.map(({ transport }) => transport);
  if (!(a && b && c && d)) expect.unreachable();
  mesh.hub.connect(a, b);
  mesh.hub.connect(c, d);
  for (let nth = 0; nth < 300; nth += 1) await append(mesh, nth % 4, `entry ${nth}`);
  await mesh.clock.advance(90_000); // longer than anything in gossip is kept
  expect(new Set(headsOf(mesh, 't')).size).toBe(2);
  mesh.hub.connect(a, c);
  expect(await untilEqual(mesh, 300)).toBeLessThanOrEqual(30_000); // b and d hear of it in a round
});

test('frames that are lost are made good for by the next rounds', async () => {
  const mesh = meshOf(3);
  mesh.hub.connectAll();
  const random = new Random(5);
  mesh.hub.tamper = (_from, _to, frame) => (random.int(0, 99) < 60 ? 'lose' : frame);
  for (let nth = 0; nth < 60; nth += 1) await append(mesh, nth % 3, `entry ${nth}`);
  await mesh.clock.advance(1_000);
  mesh.hub.tamper = (_from, _to, frame) => frame;
  expect(await untilEqual(mesh, 60)).toBeLessThanOrEqual(30_000);
});

test('a newcomer gets more than one answer holds, also what a node wrote that is gone', async () => {
  const mesh = meshOf(3);
  const [a, b, c] = mesh.members.map(({ transport }) => transport);
  if (!(a && b && c)) expect.unreachable();
  mesh.hub.connect(a, b);
  const big = 'x'.repeat(60_000);
  for (let nth = 0; nth < 150; nth += 1) await append(mesh, 0, `${nth} ${big}`);
  await until(
    'the copy',
    async () => {
      await mesh.clock.advance(100);
      return mesh.members[1]?.log.headOf('t').height === 150 || undefined;
    },
    { budgetMs: 10_000, everyMs: 1 },
  );
  mesh.hub.disconnect(a, b);
  mesh.hub.connect(b, c);
  await untilEqual(mesh, 150);
});

test('a restarted node that forgot its entries gets them back and goes on beside them', async () => {
  const mesh = meshOf(2);
  const [a, b] = mesh.members.map(({ transport }) => transport);
  if (!(a && b)) expect.unreachable();
  mesh.hub.connect(a, b);
  await append(mesh, 0, 'before');
  await untilEqual(mesh, 1);
  const [first] = mesh.members;
  first?.log.stop();
  const agent = writerNamed('agent 0');
  const restarted = new ReplicatedLog(
    {},
    { transport: a, agent, signing: cheapSigning, clock: mesh.clock, random: new Random(9), log },
  );
  a.onFrame('control', (link, frame) => void restarted.handleControlFrame(link, frame));
  restarted.start();
  stops.push(() => restarted.stop());
  mesh.members[0] = { transport: a, log: restarted };
  expect((await append(mesh, 0, 'after'))?.seq).toBe(1);
  await untilEqual(mesh, 2);
  const origins = restarted.headOf('t').origins;
  expect(origins.map(({ origin, lastSeq }) => [origin, lastSeq])).toEqual([
    [agent.id, 1],
    [agent.id, 1],
  ]);
});

test('a quiet mesh without logs sends nothing, and one with equal logs a frame per node in 5 s', async () => {
  const mesh = meshOf(6);
  mesh.hub.connectAll();
  await mesh.clock.advance(60_000);
  expect(mesh.hub.framesSent).toBe(0);
  await append(mesh, 0, 'one');
  await untilEqual(mesh, 1);
  const before = mesh.hub.framesSent;
  await mesh.clock.advance(60_000);
  expect((mesh.hub.framesSent - before) / 60).toBeLessThanOrEqual(6 / 4);
  expect(mesh.hub.framesSent).toBeGreaterThan(before);
});

test('malformed, forged and too many frames do no harm and are counted', async () => {
  const mesh = meshOf(2);
  const [a, b] = mesh.members;
  if (!(a && b)) expect.unreachable();
  mesh.hub.connect(a.transport, b.transport);
  const stolen: Uint8Array[] = [];
  mesh.hub.tamper = (_from, _to, frame, trafficClass) => {
    if (trafficClass !== 'bulk') return frame;
    stolen.push(frame);
    return 'lose';
  };
  await append(mesh, 0, 'genuine');
  const forged = Buffer.from(stolen[0] ?? []);
  forged.write('Genuine', forged.indexOf('genuine'));
  mesh.hub.tamper = (_from, _to, frame) => frame;
  const ending = new AbortController().signal;
  for (const frame of [forged, Buffer.from('520100', 'hex'), Buffer.from('ff', 'hex')]) {
    await a.transport.send(b.transport.peerId, 'bulk', frame, ending);
  }
  const heads = Buffer.from('5001010000', 'hex');
  for (let nth = 0; nth < 600; nth += 1) {
    await a.transport.send(b.transport.peerId, 'control', heads, ending);
  }
  await until('the frames', () => (b.log.overview().framesOverLimitTotal > 0 ? true : undefined), {
    budgetMs: 5_000,
  });
  expect(b.log.overview()).toMatchObject({ framesMalformedTotal: 1, segments: { forged: 1, added: 0 } });
  expect(b.log.headOf('t').height).toBe(0);
  await untilEqual(mesh, 1); // the genuine entry comes with the next round
});

test('an append beyond a bound is refused by name and the bound named; nothing of it is kept', async () => {
  const mesh = meshOf(1, { maxEntriesPerTopic: 3 });
  const appends = await Promise.allSettled(Array.from({ length: 5 }, (_, nth) => append(mesh, 0, `${nth}`)));
  expect(appends.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'rejected',
    'rejected',
  ]);
  await expect(append(mesh, 0, 'one more')).rejects.toMatchObject({
    code: 'LOG_FULL',
    message: 'the log has no room for this entry: 3 entries of a topic',
  });
  await expect(mesh.members[0]?.log.append('t', new Uint8Array(65_537))).rejects.toMatchObject({
    code: 'PAYLOAD_TOO_LARGE',
  });
  for (const topic of ['', 'local:t', 'x'.repeat(257)]) {
    await expect(append(mesh, 0, 'x', topic)).rejects.toMatchObject({ code: 'TOPIC_INVALID' });
  }
  mesh.members[0]?.log.stop();
  await expect(append(mesh, 0, 'late', 'u')).rejects.toMatchObject({ code: 'LOG_STOPPED' });
  expect(mesh.members[0]?.log.overview().heads.map(({ topic, height }) => [topic, height])).toEqual([
    ['t', 3],
  ]);
});

test('real signatures are made and believed', async () => {
  const signing = await createSigning();
  stops.push(() => void signing.close());
  const hub = new MemoryHub();
  const clock = new VirtualClock();
  const [writer, reader] = await Promise.all(
    ['a', 'b'].map(async (name) => {
      const signer = await signing.signer(signing.freshSeed());
      const agent = {
        id: sha256Hex(signer.publicKey),
        publicKey: signer.publicKey,
        sign: signer.sign.bind(signer),
      };
      const transport = hub.join({
        peerId: sha256Hex(name),
        agentId: agent.id,
        agentPublicKey: agent.publicKey,
      });
      const room = new ReplicatedLog({}, { transport, agent, signing, clock, random: new Random(1), log });
      transport.onFrame('control', (link, frame) => void room.handleControlFrame(link, frame));
      room.start();
      stops.push(() => room.stop());
      return { room, transport };
    }),
  );
  if (!(writer && reader)) expect.unreachable();
  hub.connect(writer.transport, reader.transport);
  const { headHash } = await writer.room.append('t', Buffer.from('entry'));
  await until('the entry', () => reader.room.headOf('t').height === 1 || undefined, {
    budgetMs: 5_000,
    everyMs: 5,
  });
  expect(reader.room.headOf('t').headHash).toEqual(headHash);
});
