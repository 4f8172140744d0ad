import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../../kit/random.ts';
import { MembershipCore } from './membership-core.ts';

const at = (port: number) => ({ host: '127.0.0.1', port });
const link = (peerId: string, port: number, generation = 1) => ({ peerId, generation, remote: at(port) });
const coreOf = (...ports: number[]) =>
  new MembershipCore({
    ownId: 'self',
    configured: ports.map(at),
    addresses: 'learnt',
    random: new Random(1),
    nowMs: 0,
  });
const dialled = (core: MembershipCore, nowMs: number) =>
  core.due(nowMs).map(({ address, expected }) => `${expected ?? 'anyone'}@${address.port}`);

test('configured addresses are dialled at once, in parallel, for whoever is there', () => {
  expect(dialled(coreOf(1, 2, 3), 0)).toEqual(['anyone@1', 'anyone@2', 'anyone@3']);
});

test('a peer that was met is redialled with its id, and never while it is connected', () => {
  const core = coreOf(1);
  const [dial] = core.due(0);
  if (dial) core.dialSucceeded(dial, 'p', 5);
  core.observe([link('p', 1)], 5);
  expect(dialled(core, 60_000)).toEqual([]);
  core.observe([], 60_000);
  expect(dialled(core, 60_100)).toEqual([]);
  expect(dialled(core, 60_400)).toEqual(['p@1']);
});

test('a configured peer that calls first is not dialled', () => {
  const core = coreOf(1);
  core.observe([link('p', 1)], 0);
  expect(dialled(core, 10)).toEqual([]);
});

test('hearsay about a configured address waits until somebody has answered there', () => {
  const core = coreOf(1);
  core.heard([{ peerId: 'p', address: at(1) }], 0);
  expect(dialled(core, 0)).toEqual(['anyone@1']);
});

test('another identity at the address of a peer: the address is dropped, and if configured met anew', () => {
  const core = coreOf(1);
  core.observe([link('p', 1)], 0);
  core.observe([], 20_000);
  const [dial] = core.due(21_000);
  expect(dial?.expected).toBe('p');
  if (dial) core.dialFailed(dial, 'wrong_peer', 21_010);
  expect(dialled(core, 21_010)).toEqual(['anyone@1']);
  expect(core.snapshot(21_010, 10).knownPeers).toBe(0);
});

test('this node itself and those who refuse it are not dialled again; who has no room is, after 120 s', () => {
  const core = coreOf(1, 2, 3, 4);
  const [self, selfByLink, policy, pool] = core.due(0);
  if (self) core.dialFailed(self, 'self', 1);
  if (selfByLink) core.dialSucceeded(selfByLink, 'self', 1);
  if (policy) core.dialFailed(policy, 'policy', 1);
  if (pool) core.dialFailed(pool, 'pool', 1);
  expect(dialled(core, 120_000)).toEqual([]);
  expect(core.snapshot(1, 10).tombstones.map(({ reason, remainingMs }) => [reason, remainingMs])).toEqual([
    ['self', null],
    ['self', null],
    ['policy', null],
    ['pool', 120_000],
  ]);
  expect(dialled(core, 120_002)).toEqual(['anyone@4']);
});

test('a peer that refused is dialled again once a link to it has been seen', () => {
  const core = coreOf(1);
  const [dial] = core.due(0);
  if (dial) core.dialFailed(dial, 'policy', 1);
  core.observe([link('p', 1)], 20_000);
  core.observe([], 40_000);
  expect(dialled(core, 41_000)).toEqual(['p@1']);
});

test('an invented peer is forgotten after six failures, a configured address never', () => {
  const core = coreOf(1);
  core.heard([{ peerId: 'ghost', address: at(9) }], 0);
  let ghostDials = 0;
  for (let nowMs = 0; nowMs < 600_000; nowMs += 1_000) {
    for (const dial of core.due(nowMs)) {
      if (dial.expected === 'ghost') ghostDials += 1;
      core.dialFailed(dial, 'retry', nowMs);
    }
  }
  expect(ghostDials).toBe(6);
  expect(core.snapshot(600_000, 10)).toMatchObject({ knownPeers: 0, unidentifiedAddresses: ['127.0.0.1:1'] });
});

describe('with configured addresses only', () => {
  const fixedCoreOf = (...ports: number[]) =>
    new MembershipCore({
      ownId: 'self',
      configured: ports.map(at),
      addresses: 'configured_only',
      random: new Random(1),
      nowMs: 0,
    });

  test('a peer is redialled where it was configured, not where it calls from', () => {
    const core = fixedCoreOf(1);
    core.observe([link('p', 40_001)], 0);
    const [dial] = core.due(0);
    expect(dial?.address.port).toBe(1); // who called may be someone else: the configured address is still looked at
    if (dial) core.dialSucceeded(dial, 'p', 5);
    expect(dialled(core, 60_000)).toEqual([]);
    core.observe([], 60_000);
    for (let nowMs = 60_000; nowMs < 180_000; nowMs += 500) {
      for (const redial of core.due(nowMs)) {
        expect([redial.expected, redial.address.port]).toEqual(['p', 1]);
        core.dialFailed(redial, 'retry', nowMs);
      }
    }
  });

  test('a peer that calls from elsewhere and is not configured is never dialled', () => {
    const core = fixedCoreOf();
    core.observe([link('stranger', 40_001)], 0);
    core.observe([], 20_000);
    expect(dialled(core, 120_000)).toEqual([]);
    expect(core.snapshot(120_000, 10)).toMatchObject({ knownPeers: 0, waiting: [] });
  });

  test('nothing that is told is believed', () => {
    const core = fixedCoreOf(1);
    expect(core.heard([{ peerId: 'q', address: at(2) }], 0)).toBe(0);
    expect(dialled(core, 0)).toEqual(['anyone@1']);
  });
});

/** A small world of nodes with virtual time: links are symmetric, dials take time, nodes die and come back. */
class World {
  readonly #random: Random;
  readonly #knows: (index: number) => readonly number[];
  readonly #cores = new Map<number, MembershipCore>();
  readonly #links = new Map<string, number>();
  #generation = 0;
  #pending: {
    readonly atMs: number;
    readonly from: number;
    readonly core: MembershipCore;
    readonly finish: () => void;
  }[] = [];
  nowMs = 0;

  constructor(random: Random, knows: (index: number) => readonly number[]) {
    this.#random = random;
    this.#knows = knows;
  }

  start(index: number): void {
    const configured = this.#knows(index).map(at);
    this.#cores.set(
      index,
      new MembershipCore({
        ownId: `n${index}`,
        configured,
        addresses: 'learnt',
        random: this.#random,
        nowMs: this.nowMs,
      }),
    );
  }

  kill(index: number): void {
    this.#cores.delete(index);
    for (const key of this.#links.keys()) if (key.split('-').includes(String(index))) this.#links.delete(key);
  }

  linkCount(): number {
    return this.#links.size;
  }

  #key(a: number, b: number): string {
    return a < b ? `${a}-${b}` : `${b}-${a}`;
  }

  #linksOf(index: number) {
    return [...this.#cores.keys()].flatMap((other) => {
      const generation = this.#links.get(this.#key(index, other));
      return generation === undefined ? [] : [link(`n${other}`, other, generation)];
    });
  }

  step(ms: number): void {
    this.nowMs += ms;
    const done = this.#pending.filter(({ atMs }) => atMs <= this.nowMs);
    this.#pending = this.#pending.filter(({ atMs }) => atMs > this.nowMs);
    for (const { finish } of done) finish();
    for (const [index, core] of this.#cores) {
      const links = this.#linksOf(index);
      for (const { peerId } of core.observe(links, this.nowMs)) {
        const told = links.filter((other) => other.peerId !== peerId);
        this.#cores.get(Number(peerId.slice(1)))?.heard(
          told.map((other) => ({ peerId: other.peerId, address: other.remote })),
          this.nowMs,
        );
      }
      for (const dial of core.due(this.nowMs)) this.#dial(index, core, dial);
    }
  }

  #dial(from: number, core: MembershipCore, dial: ReturnType<MembershipCore['due']>[number]): void {
    const to = dial.address.port;
    expect(
      this.#links.has(this.#key(from, to)) && this.#linksOf(from).some((l) => l.peerId === dial.expected),
    ).toBe(false);
    expect(this.#pending.filter((other) => other.core === core).length).toBeLessThan(16);
    const isAlive = this.#cores.has(to);
    const atMs = this.nowMs + (isAlive ? this.#random.int(5, 300) : this.#random.int(1, 5_000));
    expect(this.#pending.some((other) => other.core === core && Reflect.get(other, 'to') === to)).toBe(false);
    const finish = () => {
      if (this.#cores.get(from) !== core) return;
      if (to === from) core.dialFailed(dial, 'self', this.nowMs);
      else if (!this.#cores.has(to)) core.dialFailed(dial, 'retry', this.nowMs);
      else {
        this.#generation += 1;
        if (!this.#links.has(this.#key(from, to))) this.#links.set(this.#key(from, to), this.#generation);
        core.dialSucceeded(dial, `n${to}`, this.nowMs);
      }
    };
    this.#pending.push(Object.assign({ atMs, from, core, finish }, { to }));
  }
}

describe('six nodes in virtual time', () => {
  const everyone = [0, 1, 2, 3, 4, 5];
  const configurations = {
    'that know everyone, themselves included': () => everyone,
    'that know the first only': () => [0],
    'that know the one before them': (index: number) => (index === 0 ? [] : [index - 1]),
  };

  test.each(Object.entries(configurations))('%s become a full mesh within two seconds', (_, knows) => {
    const world = new World(new Random(7), knows);
    for (const index of everyone) world.start(index);
    while (world.linkCount() < 15 && world.nowMs < 2_000) world.step(50);
    expect(world.linkCount()).toBe(15);
  });

  test('that are killed and restarted at random are a full mesh again, with one dial per peer at any time', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.array(fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 60 })), { maxLength: 12 }),
        (seed, kills) => {
          const world = new World(new Random(seed), () => everyone);
          for (const index of everyone) world.start(index);
          for (const [victim, steps] of kills) {
            world.kill(victim);
            for (let step = 0; step < steps; step += 1) world.step(100);
            world.start(victim);
            for (let step = 0; step < steps; step += 1) world.step(100);
          }
          const untilMs = world.nowMs + 2_000; // the restarted ones dial at once
          while (world.linkCount() < 15 && world.nowMs < untilMs) world.step(50);
          expect(world.linkCount()).toBe(15);
        },
      ),
      { numRuns: 40 },
    );
  });
});
