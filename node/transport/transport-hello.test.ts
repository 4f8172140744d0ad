import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { Random } from '../../kit/random.ts';
import { type RigNode, TransportRig } from './transport-rig.ts';

const signal = () => AbortSignal.timeout(30_000);
const refusals = (node: RigNode) => node.transport.stats().helloRefusalsByReason;

async function refused(node: RigNode, name: string): Promise<void> {
  await until(`${name} to be counted`, () => refusals(node)[name] || undefined, {
    budgetMs: 20_000,
    everyMs: 5,
  });
}

test('two nodes of one network have a link, each with the proven identity of the other', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair();
  const atA = a.transport.linkTo(b.transport.peerId);
  expect(atA).toMatchObject({
    peerId: b.modules.machine.id,
    agentId: b.modules.agent.id,
    generation: 1,
    initiator: 'us',
    remote: b.address,
    listenAddress: b.address,
  });
  expect(atA?.agentPublicKey).toEqual(new Uint8Array(b.modules.agent.publicKey));
  await until('the other side to have it too', () => b.transport.linkTo(a.transport.peerId), {
    budgetMs: 20_000,
  });
  expect(b.transport.linkTo(a.transport.peerId)).toMatchObject({
    initiator: 'them',
    listenAddress: a.address,
  });
  expect(b.transport.connectionIdOf(a.transport.peerId)).toBe(a.transport.connectionIdOf(b.transport.peerId));
});

test('a link tells what the hello of its peer says that it can do', async () => {
  await using rig = new TransportRig();
  const [a, b] = [await rig.node({ features: ['room/one', 'room/two'] }), await rig.node()];
  const atB = await b.transport.dial(a.address, { signal: signal() });
  expect(atB.features).toEqual(['room/one', 'room/two']);
  const atA = await until('the other side', () => a.transport.linkTo(b.transport.peerId), {
    budgetMs: 2_000,
  });
  expect(atA.features).toEqual([]);
});

test('a node of another network is refused by name at both ends and no link ever shows', async () => {
  await using rig = new TransportRig();
  const [a, b] = [await rig.node({ networkId: 'one' }), await rig.node({ networkId: 'two' })];
  await expect(a.transport.dial(b.address, { signal: signal() })).rejects.toMatchObject({
    code: 'WRONG_NETWORK',
  });
  await Promise.all([refused(a, 'WRONG_NETWORK'), refused(b, 'WRONG_NETWORK')]);
  expect([...a.events, ...b.events]).toEqual([]);
  expect(a.transport.stats().dialFailuresTotal).toBe(1);
});

test('someone other than the expected peer is refused by name at both ends', async () => {
  await using rig = new TransportRig();
  const [a, b] = [await rig.node(), await rig.node()];
  const expected = '0'.repeat(64);
  await expect(a.transport.dial(b.address, { expected, signal: signal() })).rejects.toMatchObject({
    code: 'WRONG_PEER',
  });
  await Promise.all([refused(a, 'WRONG_PEER'), refused(b, 'WRONG_PEER')]);
  expect(b.transport.links()).toEqual([]);
});

test('a node that dials itself is told so', async () => {
  await using rig = new TransportRig();
  const node = await rig.node();
  await expect(node.transport.dial(node.address, { signal: signal() })).rejects.toMatchObject({
    code: 'SELF_DIAL',
  });
});

test.each(['machine', 'agent'] as const)(
  'a %s key that did not sign this session is refused',
  async (key) => {
    await using rig = new TransportRig();
    const honest = await rig.node();
    const { machine, agent } = honest.modules;
    const victim = key === 'machine' ? machine : agent;
    const other = await rig.node();
    // Claims the victim's public key, signs with another.
    const forged = {
      id: victim.id,
      publicKey: victim.publicKey,
      sign: (m: Uint8Array) => other.modules[key].sign(m),
    };
    const forger = await rig.node({}, { [key]: forged });
    const target = await rig.node();
    await expect(forger.transport.dial(target.address, { signal: signal() })).rejects.toMatchObject({
      code: 'BAD_SIGNATURE',
    });
    await refused(target, 'BAD_SIGNATURE');
    expect(target.transport.links()).toEqual([]);
  },
);

test('a peer that never finishes its hello is refused when its time is up', async () => {
  await using rig = new TransportRig();
  const a = await rig.node();
  const mute = { ...a.modules.machine, sign: () => new Promise<Uint8Array>(() => {}) };
  const half = await rig.node({}, { machine: mute });
  const target = await rig.node({ tuning: { helloTimeoutMs: 150 } });
  await expect(half.transport.dial(target.address, { signal: signal() })).rejects.toMatchObject({
    code: 'HELLO_TIMEOUT',
  });
  await refused(target, 'HELLO_TIMEOUT');
  expect([...half.events, ...target.events]).toEqual([]);
});

test('a dial to a port where nobody answers ends in time and leaves nothing open', async () => {
  await using rig = new TransportRig();
  const node = await rig.node({ tuning: { connectTimeoutMs: 100 } });
  const dead = createSocket('udp4').bind(0, '127.0.0.1');
  await once(dead, 'listening');
  const { port } = dead.address();
  dead.close();
  const dial = node.transport.dial({ host: '127.0.0.1', port }, { signal: signal() });
  await expect(dial).rejects.toMatchObject({ code: 'DIAL_TIMEOUT' });
  expect(node.transport.stats()).toMatchObject({ openConnections: 0, dialFailuresTotal: 1 });
});

test('a dial ends with the reason of its signal', async () => {
  await using rig = new TransportRig();
  const node = await rig.node();
  const controller = new AbortController();
  const dial = node.transport.dial({ host: '127.0.0.1', port: 9 }, { signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(dial).rejects.toThrow('enough');
});

test('garbage thrown at the port changes nothing for the links that stand', async () => {
  await using rig = new TransportRig();
  const [a, b] = await rig.pair();
  b.transport.onRequest(async (_link, body) => body);
  const random = new Random(Random.freshSeed());
  const thrower = createSocket('udp4');
  for (let count = 0; count < 500; count += 1) {
    const noise = random.bytes(random.int(0, 1_400));
    if (count % 3 === 0 && noise.length > 5) noise.set([0xc3, 0, 0, 0, 1]); // looks like a QUIC v1 Initial
    await new Promise((resolve) => thrower.send(noise, b.address.port, '127.0.0.1', resolve));
  }
  thrower.close();
  const reply = await a.transport.request(b.transport.peerId, Buffer.from('still there'), signal());
  expect(Buffer.from(reply).toString(), `seed ${random.seed}`).toBe('still there');
  expect(b.transport.links()).toHaveLength(1);
});
