import { expect, it } from 'vitest';
import { shortenIds } from './log.ts';

it('shortens ids and leaves everything else as it is', () => {
  const id = 'ab'.repeat(32);
  expect(shortenIds({ peerId: id, bytes: 3, note: `${id}!`, err: null })).toEqual({
    peerId: 'ab'.repeat(8),
    bytes: 3,
    note: `${id}!`,
    err: null,
  });
});
