import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../../kit/random.ts';
import { cheapSigning, nextSegment, write, writerNamed } from './log-fixture.ts';
import { DEFAULT_LOG_LIMITS, LogStore } from './log-store.ts';
import type { Segment } from './segment.ts';
import { takeSegment } from './segment-intake.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const headOf = (store: LogStore, topic = 't') => {
  const { height, headHash } = store.headOf(topic);
  return [height, hex(headHash)];
};
const take = (store: LogStore, segment: Segment, topic = 't') =>
  takeSegment({ store, signing: cheapSigning }, topic, segment);

/** Gives `to` whatever it lacks of `from`, by its version vector. */
async function pull(to: LogStore, from: LogStore, maxBytes = Number.POSITIVE_INFINITY): Promise<void> {
  for (const topic of from.topics()) {
    for (let hasMore = true; hasMore; ) {
      const missing = from.missing(topic, to.vectorOf(topic), maxBytes);
      for (const segment of missing.segments) expect(await take(to, segment, topic)).toBe('added');
      hasMore = missing.hasMore;
    }
  }
}

describe('stores of four nodes', () => {
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('write' as const),
        who: fc.nat(3),
        topic: fc.nat(1),
        entries: fc.integer({ min: 1, max: 3 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('pull' as const), who: fc.nat(3), from: fc.nat(3) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('partition' as const), side: fc.array(fc.nat(3)) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), who: fc.nat(3) }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('stray' as const), who: fc.nat(3), at: fc.nat(1_000) }),
    },
  );

  test('that took the same entries in any order, with duplicates, gaps, restarts and partitions, have equal heads', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const stores = [0, 1, 2, 3].map(() => new LogStore());
        const writers = stores.map((_, who) => writerNamed(`w${who}`));
        const sent: { readonly topic: string; readonly segment: Segment }[] = [];
        let [side, runs, written] = [new Set<number>(), 0, 0];
        for (const doing of steps) {
          const [store, writer] = 'who' in doing ? [stores[doing.who], writers[doing.who]] : [];
          if (doing.do === 'partition') side = new Set(doing.side);
          if (store === undefined || writer === undefined) continue;
          if (doing.do === 'write') {
            const payloads = Array.from({ length: doing.entries }, (_, at) => `entry ${written + at}`);
            written += doing.entries;
            sent.push({
              topic: `t${doing.topic}`,
              segment: write(store, `t${doing.topic}`, writer, ...payloads),
            });
          } else if (doing.do === 'restart') {
            runs += 1;
            writers[doing.who] = writerNamed(`w${doing.who}`, runs.toString(16).padStart(16, '0'));
          } else if (doing.do === 'stray') {
            const stray = sent[doing.at % Math.max(1, sent.length)];
            const intake = stray && (await take(store, stray.segment, stray.topic));
            expect(['added', 'known', 'gap', undefined]).toContain(intake);
          } else if (doing.do === 'pull' && side.has(doing.who) === side.has(doing.from)) {
            const from = stores[doing.from];
            if (from && from !== store) await pull(store, from);
          }
        }
        for (let round = 0; round < 2; round += 1)
          for (const to of stores) for (const from of stores) if (to !== from) await pull(to, from, 4_000);
        for (const topic of ['t0', 't1']) {
          const heads = stores.map((store) => headOf(store, topic));
          expect(heads).toEqual(heads.map(() => heads[0]));
        }
        const heights = ['t0', 't1'].map((topic) => stores[0]?.headOf(topic).height ?? 0);
        expect(heights.reduce((a, b) => a + b)).toBe(written);
      }),
      { numRuns: 60 },
    );
  });

  test('that lack one entry of one writer have other heads', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 20 }), (seed, count) => {
        const random = new Random(seed);
        const [all, fewer] = [new LogStore(), new LogStore()];
        const segments = Array.from({ length: count }, (_, at) =>
          write(all, 't', writerNamed(`w${random.int(0, 3)}`), `entry ${at}`),
        );
        const withheld = segments[random.int(0, count - 1)];
        for (const segment of segments) if (segment !== withheld) fewer.add('t', segment);
        expect(headOf(all)).not.toEqual(headOf(fewer));
      }),
    );
  });
});

test('the head hash of a known log has this value, and depends on topic, writer, order and bytes', () => {
  const headAfter = (topic: string, name: string, ...payloads: string[]) => {
    const store = new LogStore();
    write(store, topic, writerNamed(name), ...payloads);
    return hex(store.headOf(topic).headHash);
  };
  const golden = headAfter('t', 'w', 'a', 'b');
  expect(golden).toBe('2017559a75c32c292776405f3167ff1ef2c8742799e71647c85c56de69f5d87b');
  const others = [
    headAfter('u', 'w', 'a', 'b'),
    headAfter('t', 'v', 'a', 'b'),
    headAfter('t', 'w', 'b', 'a'),
    headAfter('t', 'w', 'ab'),
    headAfter('t', 'w', 'a', 'b', ''),
  ];
  expect(new Set([golden, ...others]).size).toBe(6);
  expect(headAfter('t', 'w', 'a', 'b')).toBe(golden);
});

test('entries signed together or one by one make the same head: how they were cut is no part of the log', () => {
  const [together, apart] = [new LogStore(), new LogStore()];
  write(together, 't', writerNamed('w'), 'a', 'b');
  write(apart, 't', writerNamed('w'), 'a');
  write(apart, 't', writerNamed('w'), 'b');
  expect(headOf(together)).toEqual(headOf(apart));
});

test('entries signed one by one are kept under few signatures, and any beginning can be gone on from', async () => {
  const writer = writerNamed('w');
  const store = new LogStore();
  const singles = Array.from({ length: 200 }, (_, at) => write(store, 't', writer, `entry ${at}`));
  expect(store.missing('t', [], 1e9).segments.map(({ payloads }) => payloads.length)).toEqual([
    64, 64, 64, 8,
  ]);
  expect(store.bytes).toBeLessThan(200 * 250);
  for (const had of [0, 1, 63, 64, 65, 130, 199]) {
    const reader = new LogStore();
    for (const segment of singles.slice(0, had)) expect(await take(reader, segment)).toBe('added');
    await pull(reader, store);
    expect(headOf(reader)).toEqual(headOf(store));
    expect(await take(reader, singles[had] ?? expect.unreachable())).toBe('known');
  }
  const ahead = new LogStore();
  for (const segment of singles.slice(0, 10)) await take(ahead, segment);
  const [whole] = store.missing('t', [], 1e9).segments; // its first ten are there already
  expect(whole && (await take(ahead, whole))).toBe('added');
  expect(ahead.headOf('t').height).toBe(64);
});

describe('a segment is refused', () => {
  test('when anything of it was changed on the way, whoever passes it on', async () => {
    const source = new LogStore();
    const writer = writerNamed('w');
    const first = write(source, 't', writer, 'a', 'b');
    const second = nextSegment(source, 't', writer, ['c']);
    const impostor = writerNamed('impostor');
    const forgeries: Segment[] = [
      { ...first, payloads: [Buffer.from('a'), Buffer.from('x')] },
      { ...first, payloads: [Buffer.from('a')] },
      { ...first, incarnation: 'ff'.repeat(8) },
      { ...first, origin: impostor.origin },
      { ...first, publicKey: impostor.publicKey },
      { ...first, publicKey: null },
      { ...first, signature: new Uint8Array(first.signature.length) },
    ];
    for (const forgery of forgeries) {
      const store = new LogStore();
      expect(await take(store, forgery)).toBe('forged');
      expect(store.headOf('t').height).toBe(0);
    }
    const store = new LogStore();
    expect(await take(store, first, 'another topic')).toBe('forged');
    await take(store, first);
    expect(await take(store, { ...second, payloads: [Buffer.from('z')] })).toBe('forged');
    expect(await take(store, { ...second, publicKey: impostor.publicKey })).toBe('added'); // its stream's key is known
    expect(store.headOf('t').height).toBe(3);
  });

  test('when its writer has signed two histories: the first that was seen stays, and the conflict shows', async () => {
    const [one, other, reader] = [new LogStore(), new LogStore(), new LogStore()];
    const writer = writerNamed('two-faced');
    const first = write(one, 't', writer, 'yes');
    const contrary = write(other, 't', writer, 'no');
    expect(await take(reader, first)).toBe('added');
    expect(await take(reader, contrary)).toBe('conflict');
    expect(
      await take(reader, { ...contrary, payloads: [...contrary.payloads, Buffer.from('and more')] }),
    ).toBe('conflict');
    expect(headOf(reader)).toEqual(headOf(one));
    expect(other.missing('t', reader.vectorOf('t'), 1_000)).toMatchObject({ segments: [], conflicts: 1 });
  });

  test('when there is no room for it: topics, writers, entries and bytes are bounded', async () => {
    const limits = {
      ...DEFAULT_LOG_LIMITS,
      maxTopics: 2,
      maxStreamsPerTopic: 2,
      maxEntriesPerTopic: 5,
      maxBytes: 20_000,
    };
    const source = new LogStore();
    const segmentOf = (topic: string, name: string, ...payloads: string[]) =>
      nextSegment(source, topic, writerNamed(name), payloads);
    const store = new LogStore(limits);
    expect(store.add('t', segmentOf('t', 'a', '1'))).toBe('next');
    expect(store.add('t', segmentOf('t', 'b', '2', '3'))).toBe('next');
    expect(store.add('t', segmentOf('t', 'c', '4'))).toBe('full');
    expect(store.add('u', segmentOf('u', 'a', '1'))).toBe('next');
    expect(store.add('v', segmentOf('v', 'a', '1'))).toBe('full');
    expect(store.add('u', segmentOf('u', 'b', '1', '2', '3', '4', '5'))).toBe('full');
    expect(store.add('u', segmentOf('u', 'b', 'x'.repeat(10_000)))).toBe('full');
    expect(store.headOf('t').height).toBe(3);
    expect(store.bytes).toBeLessThan(20_000);
  });
});
