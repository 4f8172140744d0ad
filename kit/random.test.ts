import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Random } from './random.ts';

test('a seed always gives the same choices', () => {
  const golden = new Random(42);
  expect([golden.int(0, 999), golden.int(0, 999), golden.int(0, 999)]).toEqual([605, 225, 535]);
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const [one, other] = [new Random(seed), new Random(seed)];
      expect([one.bytes(8), one.float(), one.shuffle([1, 2, 3])]).toEqual([
        other.bytes(8),
        other.float(),
        other.shuffle([1, 2, 3]),
      ]);
    }),
  );
});

test('int, float and jitter keep their bounds', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: -1_000, max: 1_000 }), fc.nat(1_000), (seed, low, span) => {
      const random = new Random(seed);
      const whole = random.int(low, low + span);
      expect(Number.isInteger(whole) && whole >= low && whole <= low + span).toBe(true);
      const part = random.float();
      expect(part >= 0 && part < 1).toBe(true);
      const moved = random.jitter(1_000, 0.2);
      expect(moved >= 800 && moved <= 1_200).toBe(true);
    }),
  );
});

test('a shuffle keeps every item and leaves its input alone', () => {
  fc.assert(
    fc.property(fc.integer(), fc.array(fc.nat()), (seed, items) => {
      const before = [...items];
      expect(new Random(seed).shuffle(items).toSorted()).toEqual(before.toSorted());
      expect(items).toEqual(before);
    }),
  );
});

test('every order of three comes up', () => {
  const random = new Random(1);
  const orders = new Set(Array.from({ length: 200 }, () => random.shuffle([1, 2, 3]).join('')));
  expect(orders.size).toBe(6);
});

test('a fresh seed is a 31-bit whole number', () => {
  const seed = Random.freshSeed();
  expect(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31).toBe(true);
  expect(new Random(seed).seed).toBe(seed);
});
