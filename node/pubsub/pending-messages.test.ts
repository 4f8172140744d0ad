import { expect, it } from 'vitest';
import { fakeLink } from '../api/fake-rooms.ts';
import { PendingMessages } from './pending-messages.ts';

const link = fakeLink('a');
const copyOf = (bytes: number) => ({ link, frame: new Uint8Array(bytes) });

it('lets messages of made-up origins keep nobody else out', () => {
  const pending = new PendingMessages();
  for (let at = 0; at < 3_000; at += 1) {
    expect(pending.add(`made up ${at}`, copyOf(100))).toBe('first');
    pending.wantsKey(`made up ${at}`, `nobody ${at}`, at);
  }
  expect(pending.size).toBe(1_024);
  expect(pending.dropped).toBe(3_000 - 1_024);
  expect(pending.keyWanted('made up 0')).toBeUndefined();
  expect(pending.keyWanted('made up 2999')).toBe('nobody 2999');
  expect(pending.add('honest', copyOf(1_000_000))).toBe('first');
});

it('makes room in bytes too, and refuses what finds none', () => {
  const pending = new PendingMessages();
  for (let at = 0; at < 33; at += 1) pending.add(`checked ${at}`, copyOf(1_000_000));
  expect(pending.add('one more', copyOf(1_000_000))).toBe('refused');
  for (const at of [4, 9]) pending.wantsKey(`checked ${at}`, 'nobody', 0);
  expect(pending.add('one more', copyOf(1_500_000))).toBe('first');
  expect(pending.add('and another', copyOf(1_000_000))).toBe('first');
  expect(pending.keyWanted('checked 9')).toBeUndefined();
  expect(pending.add('the last', copyOf(1_000_000))).toBe('refused');
});

it('hands every copy of a message on once, in order', () => {
  const pending = new PendingMessages();
  const copies = Array.from({ length: 6 }, () => copyOf(10));
  const places = copies.map((copy) => pending.add('id', copy));
  expect(places).toEqual(['first', 'waits', 'waits', 'waits', 'refused', 'refused']);
  expect(pending.settle('id')).toEqual(copies.slice(1, 4));
  expect(pending.size).toBe(0);
});
