import { expect, test } from 'vitest';
import { Liveness } from './liveness.ts';

const fail = (
  liveness: Liveness,
  times: number,
  { everyMs = 1_000, generation = 1, startMs = 0, waitedMs = 8_000 } = {},
) =>
  Array.from({ length: times }, (_, at) =>
    liveness.unanswered('p', generation, waitedMs, startMs + at * everyMs),
  );

test('the fifth double failure in a row within a minute gives the connection up', () => {
  expect(fail(new Liveness(), 5)).toEqual(['keep', 'keep', 'keep', 'keep', 'close']);
  expect(fail(new Liveness(), 9, { everyMs: 15_000 })).not.toContain('close'); // never five in 60 s
});

test('an answer, a new connection or a send without patience starts the count anew', () => {
  const answered = new Liveness();
  fail(answered, 4);
  answered.answered('p');
  expect(fail(answered, 4, { startMs: 5_000 })).not.toContain('close');

  const renewed = new Liveness();
  fail(renewed, 4);
  expect(fail(renewed, 4, { generation: 2, startMs: 5_000 })).not.toContain('close');

  expect(fail(new Liveness(), 20, { waitedMs: 200 })).not.toContain('close');
});
