import { expect, test } from 'vitest';
import { LeaseBook } from './lease-book.ts';

const lease = (id: string, ttlMs = 100) => ({ id, spec: id, ttlMs });

test('a lease ends when its time is up, unless it was renewed', () => {
  const book = new LeaseBook<string>();
  book.apply(lease('a'), 0);
  book.apply(lease('b'), 0);
  expect(book.renew(['a', 'never'], 100, 90)).toEqual(['never']);
  expect(book.nextExpiryMs).toBe(100);
  expect(book.expire(100).map(({ id }) => id)).toEqual(['b']);
  expect(book.expire(189)).toEqual([]);
  expect(book.expire(190).map(({ id }) => id)).toEqual(['a']);
  expect(book.nextExpiryMs).toBeUndefined();
});

test('a lease whose time is up cannot be renewed, although nobody looked since', () => {
  const book = new LeaseBook<string>();
  book.apply(lease('a'), 0);
  expect(book.renew(['a'], 100, 100)).toEqual(['a']);
  expect(book.expire(100)).toHaveLength(1);
});

test('a lease applied twice stands once, with the time of the second', () => {
  const book = new LeaseBook<string>();
  expect([book.apply(lease('a'), 0), book.apply(lease('a'), 50)].map((applied) => applied?.outcome)).toEqual([
    'begun',
    'stood',
  ]);
  expect(book.all()).toMatchObject([{ id: 'a', expiresAtMs: 150 }]);
});

test('ending leases that nobody knows is no error', () => {
  const book = new LeaseBook<string>();
  book.apply(lease('a'), 0);
  expect(book.end(['x', 'a', 'a']).map(({ id }) => id)).toEqual(['a']);
});

test('there is a bound to how many stand, and it is told', () => {
  const book = new LeaseBook<string>();
  for (let index = 0; index < 1_024; index += 1) book.apply(lease(`${index}`), 0);
  expect(book.apply(lease('one more'), 0)).toBeUndefined();
  expect(book.all()).toHaveLength(1_024);
});
