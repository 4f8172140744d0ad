import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Contender,
  chooseConnection,
  GIVEN_UP_QUIET_MS,
  type Incumbent,
  SIMULTANEITY_WINDOW_MS,
} from './supersede.ts';

function contender(parts: Partial<Contender>): Contender {
  return {
    connectionId: 'c',
    initiatorPeerId: 'a',
    dialSequence: 1,
    peerInstance: 'p',
    establishedAtMs: 0,
    ...parts,
  };
}

/** One on which something came just now. */
function incumbent(parts: Partial<Contender>): Incumbent {
  const held = contender(parts);
  return { ...held, heardAtMs: held.establishedAtMs };
}

const racing = fc
  .uniqueArray(
    fc.record({ initiatorPeerId: fc.constantFrom('a', 'b'), dialSequence: fc.integer({ min: 1, max: 50 }) }),
    { minLength: 1, maxLength: 30, selector: (c) => `${c.initiatorPeerId}${c.dialSequence}` },
  )
  .map((all) => all.map((parts, index) => contender({ ...parts, connectionId: `c${(index * 7) % 31}` })));

function survivor(arrivals: readonly Contender[]): Contender | undefined {
  return arrivals.reduce<Contender | undefined>(
    (held, next) =>
      held === undefined || chooseConnection(incumbent(held), next) === 'newcomer' ? next : held,
    undefined,
  );
}

test('racing connections leave the same one standing whatever order they arrive in', () => {
  fc.assert(
    fc.property(racing, fc.array(fc.nat()), (connections, keys) => {
      const shuffled = connections
        .map((connection, index) => ({ connection, key: keys[index] ?? 0 }))
        .sort((a, b) => a.key - b.key)
        .map(({ connection }) => connection);
      expect(survivor(shuffled)).toEqual(survivor(connections));
    }),
  );
});

test('of two dials by the same side the newer stands', () => {
  const [older, newer] = [contender({ dialSequence: 3 }), contender({ dialSequence: 4 })];
  expect(chooseConnection(incumbent(older), newer)).toBe('newcomer');
  expect(chooseConnection(incumbent(newer), older)).toBe('incumbent');
});

test('a restarted peer replaces the connection of its dead process even if that would win a race', () => {
  const dead = incumbent({ initiatorPeerId: 'z', dialSequence: 9, peerInstance: 'old' });
  expect(chooseConnection(dead, contender({ peerInstance: 'new' }))).toBe('newcomer');
});

test('whoever dials long after we thought the link stood has lost it', () => {
  const heardAtMs = SIMULTANEITY_WINDOW_MS;
  const standing: Incumbent = { ...contender({ initiatorPeerId: 'z' }), heardAtMs };
  const late = contender({ establishedAtMs: SIMULTANEITY_WINDOW_MS + 1 });
  expect(chooseConnection(standing, late)).toBe('newcomer');
  expect(chooseConnection(standing, contender({ establishedAtMs: 10 }))).toBe('incumbent');
});

test('whoever dials when nothing came for long on a young link has given that up', () => {
  const silent: Incumbent = { ...contender({ initiatorPeerId: 'z' }), heardAtMs: 100 };
  const dialled = (afterMs: number) => contender({ establishedAtMs: 100 + afterMs });
  expect(chooseConnection(silent, dialled(GIVEN_UP_QUIET_MS))).toBe('incumbent');
  expect(chooseConnection(silent, dialled(GIVEN_UP_QUIET_MS + 1))).toBe('newcomer');
});
