import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../../kit/hash.ts';
import { IdSet } from './id-set.ts';
import { MessageCache } from './message-cache.ts';
import { SeenIds } from './seen-ids.ts';

const limits = { messagesPerTopic: 4, bytesPerTopic: 4_000, maxAgeMs: 60_000, totalBytes: 6_000 };
const idOf = (at: number) => sha256Hex(`${at}`);
const message = (at: number, { topic = 't', bornAtMs = at, bytes = 100 } = {}) => ({
  id: idOf(at),
  topic,
  origin: 'o',
  hops: 1,
  bornAtMs,
  frame: new Uint8Array(bytes),
});

describe('message cache', () => {
  it('evicts by age, by bytes and by count, and counts each', () => {
    const cache = new MessageCache(limits);
    for (let at = 0; at < 6; at += 1) cache.add(message(at), at);
    expect(cache.topic('t')).toMatchObject({ evictedByCount: 2, evictedByBytes: 0, evictedByAge: 0 });
    cache.add(message(6, { bytes: 3_500 }), 6);
    expect(cache.topic('t')?.evictedByBytes).toBeGreaterThan(0);
    expect(cache.topic('t')?.totalBytes).toBeLessThanOrEqual(4_000);
    cache.expire(70_000);
    expect(cache.topic('t')).toMatchObject({ totalBytes: 0, evictedByAge: 1 });
    expect([cache.count, cache.totalBytes]).toEqual([0, 0]);
  });

  it('keeps all topics together within one bound, at the cost of the largest', () => {
    const cache = new MessageCache(limits);
    cache.add(message(1, { topic: 'a', bytes: 3_000 }), 1);
    cache.add(message(2, { topic: 'b', bytes: 1_500 }), 2);
    cache.add(message(3, { topic: 'b', bytes: 1_500 }), 3);
    expect(cache.totalBytes).toBeLessThanOrEqual(6_000);
    expect(cache.topic('b')?.evictedByBytes).toBe(1);
  });

  it('lets a repaired message go by its own age although it came late', () => {
    const cache = new MessageCache(limits);
    cache.add(message(1, { bornAtMs: 50_000 }), 50_000);
    cache.add(message(2, { bornAtMs: 10_000 }), 50_001);
    cache.expire(71_000);
    expect(cache.get('t', idOf(2))).toBeUndefined();
    expect(cache.get('t', idOf(1))).toBeDefined();
    cache.add(message(3, { bornAtMs: 5_000 }), 71_000); // older than the cache keeps anything
    expect(cache.get('t', idOf(3))).toBeUndefined();
  });

  it('gives one message to one peer three times and no more', () => {
    const cache = new MessageCache(limits);
    cache.add(message(1), 1);
    const given = Array.from({ length: 5 }, () => cache.reply('t', idOf(1), 'peer') !== undefined);
    expect(given).toEqual([true, true, true, false, false]);
    expect(cache.reply('t', idOf(1), 'other')).toBeDefined();
  });
});

describe('id set', () => {
  it('has a fingerprint of what is in it, whatever the order and whatever came and went', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(1_000), { minLength: 1 }), fc.nat(1_000), (members, guest) => {
        const [forward, backward] = [new IdSet(), new IdSet()];
        for (const at of members) forward.toggle(idOf(at));
        for (const at of members.toReversed()) backward.toggle(idOf(at));
        backward.toggle(idOf(guest + 2_000));
        expect(backward.hash()).not.toBe(forward.hash());
        backward.toggle(idOf(guest + 2_000));
        expect(backward.hash()).toBe(forward.hash());
        expect(backward.bucketHashes()).toEqual(forward.bucketHashes());
      }),
    );
  });
});

describe('seen ids', () => {
  it('keeps ids past the age of every cache, and counts those that had to go young', () => {
    const seen = new SeenIds(3);
    const how = { topic: 't', origin: 'o', from: null, hops: 0, asked: null, announcedAtMs: null };
    for (let at = 0; at < 4; at += 1) seen.add(idOf(at), { ...how, atMs: at });
    expect([seen.has(idOf(0)), seen.has(idOf(1)), seen.evictedYoung]).toEqual([false, true, 1]);
    seen.expire(120_000);
    expect(seen.size).toBe(3);
    seen.add(idOf(5), { ...how, atMs: 200_000 });
    expect(seen.evictedYoung).toBe(1);
    seen.expire(400_000);
    expect(seen.size).toBe(1);
  });
});
