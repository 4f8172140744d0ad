import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressKey } from './address-key.ts';
import { PeerBook } from './peer-book.ts';

const at = (port: number) => ({ host: '127.0.0.1', port });
const ports = (book: PeerBook, peerId: string) => book.addressesOf(peerId).map(({ port }) => port);

test('a configured address is unidentified until a peer answers there, and again once another answers', () => {
  const book = new PeerBook([at(1), at(2), at(1)]);
  expect(book.unidentified()).toEqual([at(1), at(2)]);
  book.reached('p', at(1));
  expect(book.unidentified()).toEqual([at(2)]);
  book.mismatched('p', at(1));
  expect(book.unidentified()).toEqual([at(1), at(2)]);
  expect(book.knows('p')).toBe(false); // it had no other address
});

test('the most recently proven address comes first, hearsay last', () => {
  const book = new PeerBook([]);
  for (const port of [1, 2, 3]) book.learn('p', at(port));
  book.reached('p', at(2));
  book.reached('p', at(3));
  expect(book.learn('p', at(4))).toBe('new_address');
  expect(ports(book, 'p')).toEqual([3, 2, 1, 4]);
});

test('hearsay never pushes out proven addresses', () => {
  const book = new PeerBook([]);
  for (let port = 1; port <= 8; port += 1) book.reached('p', at(port));
  expect(book.learn('p', at(9))).toBe('refused');
  expect(ports(book, 'p')).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
  expect(book.droppedAddresses).toBe(1);
});

test('a full book forgets the oldest hearsay, never a peer it has met, and then refuses newcomers', () => {
  const forgotten: string[] = [];
  const book = new PeerBook([], { maxPeers: 3, onForget: (peerId) => forgotten.push(peerId) });
  book.reached('met', at(1));
  book.learn('old', at(2));
  book.learn('young', at(3));
  expect(book.learn('new', at(4))).toBe('new_peer');
  expect(forgotten).toEqual(['old']);
  book.reached('young', at(3));
  book.reached('new', at(4));
  expect(book.learn('late', at(5))).toBe('refused');
  expect([book.size, book.evictedPeers, book.refusedPeers]).toEqual([3, 1, 1]);
});

test('whatever happens, bounds hold and no configured address is lost to a peer that is not known any more', () => {
  const peerId = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const step = fc.tuple(
    fc.constantFrom('learn', 'reached', 'mismatched', 'forget'),
    peerId,
    fc.integer({ min: 1, max: 20 }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const configured = [at(1), at(2), at(3)];
      const book = new PeerBook(configured, { maxPeers: 4 });
      for (const [what, peer, port] of steps) {
        if (what === 'forget') book.forget(peer);
        else if (what === 'learn') book.learn(peer, at(port));
        else if (what === 'reached') book.reached(peer, at(port));
        else book.mismatched(peer, at(port));
        expect(book.size).toBeLessThanOrEqual(4);
        for (const known of ['a', 'b', 'c', 'd', 'e']) {
          const keys = book.addressesOf(known).map(addressKey);
          expect(keys.length).toBeLessThanOrEqual(8);
          expect(new Set(keys).size).toBe(keys.length);
        }
      }
      for (const known of ['a', 'b', 'c', 'd', 'e']) book.forget(known);
      expect(book.unidentified()).toEqual(configured);
    }),
  );
});
