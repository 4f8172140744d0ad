import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AckOutcome } from '../api/schema/ack.ts';
import { type SendAction, SendCore, type SendEvent } from './send-core.ts';

const ACCEPTED: SendEvent = { type: 'replied', response: { kind: 'accepted' } };
const LINKED: SendEvent = { type: 'linked', generation: 1 };

function started(budgetMs: number, ackMs: number) {
  const core = new SendCore({ budgetMs, ackMs, nowMs: 0 });
  return { core, first: core.start(0) };
}

test('the first try leaves the smaller of 6 s and half of the window to the retry', () => {
  for (const [ackMs, firstMs] of [
    [8_000, 4_000],
    [12_000, 6_000],
    [30_000, 24_000],
    [1, 50], // held to 100 ms
  ] as const) {
    const { core } = started(40_000, ackMs);
    expect(core.on(LINKED, 0).action).toEqual({ type: 'transmit', untilMs: firstMs });
  }
});

test('a link may be found as late as a dial at 1.5 s round-trip time takes, and its message still be answered', () => {
  const { core, first } = started(10_000, 8_000);
  expect(first.action).toEqual({ type: 'find_link', untilMs: 6_000, lostGeneration: null, mayDial: true });
  const action = core.on(LINKED, 4_500).action;
  expect(action).toEqual({ type: 'transmit', untilMs: 7_250 });
});

test('a retry whose link proves dead goes out once more on a new one; a first try becomes the retry', () => {
  const { core } = started(10_000, 8_000);
  core.on(LINKED, 0);
  core.on({ type: 'timed_out' }, 4_000);
  core.on(LINKED, 4_000);
  const again = core.on({ type: 'link_silent' }, 5_000);
  expect(again).toEqual({
    outcomes: [],
    action: { type: 'find_link', untilMs: 6_800, lostGeneration: 1, mayDial: true },
  });
  expect(core.on({ type: 'linked', generation: 2 }, 5_200).action).toEqual({
    type: 'transmit',
    untilMs: 8_000,
  });
  expect(core.on(ACCEPTED, 5_300).outcomes).toEqual(['sender_accepted', 'sender_retry_accepted']);

  const early = started(40_000, 30_000).core;
  early.on(LINKED, 0);
  expect(early.on({ type: 'link_silent' }, 5_000).outcomes).toEqual(['sender_ack_timeout']);
});

test('a retry whose link was closed for another message has a link dialled, as the one that closed it', () => {
  const { core } = started(10_000, 8_000);
  core.on(LINKED, 0);
  core.on({ type: 'timed_out' }, 4_000);
  core.on(LINKED, 4_000);
  const again = core.on({ type: 'link_lost' }, 5_000);
  expect(again.action).toEqual({ type: 'find_link', untilMs: 6_800, lostGeneration: 1, mayDial: true });
  expect(core.on({ type: 'linked', generation: 2 }, 6_000).action.type).toBe('transmit');
  expect(core.on({ type: 'link_lost' }, 6_100).action).toMatchObject({ lostGeneration: 2, mayDial: true });
  expect(core.on({ type: 'no_link' }, 7_240).action).toMatchObject({ result: { kind: 'disconnected' } });
});

test('time spent on finding the link is taken from the budget, never added', () => {
  const { core, first } = started(4_000, 8_000);
  expect(first.action).toEqual({ type: 'find_link', untilMs: 2_400, lostGeneration: null, mayDial: true });
  expect(core.on(LINKED, 2_000).action).toEqual({ type: 'transmit', untilMs: 3_000 });
  core.on({ type: 'timed_out' }, 3_000);
  expect(core.on(LINKED, 3_000).action).toEqual({ type: 'transmit', untilMs: 4_000 });
});

test('silence on both tries of one connection is a timeout that names it deaf', () => {
  const { core } = started(8_000, 8_000);
  core.on(LINKED, 0);
  expect(core.on({ type: 'timed_out' }, 4_000).outcomes).toEqual(['sender_ack_timeout']);
  expect(core.on(LINKED, 4_000).outcomes).toEqual(['sender_retry_attempted']);
  const end = core.on({ type: 'timed_out' }, 8_000);
  expect(end.outcomes).toEqual(['sender_ack_timeout', 'sender_retry_failed']);
  expect(end.action).toEqual({
    type: 'finish',
    result: { kind: 'timed_out', stage: 'retry' },
    deafGeneration: 1,
  });
});

test('a replaced link is waited for 250 ms and the request issued again at no cost of a try', () => {
  const { core } = started(8_000, 8_000);
  core.on(LINKED, 0);
  const lost = core.on({ type: 'link_lost' }, 10);
  const action = { type: 'find_link', untilMs: 260, lostGeneration: 1, mayDial: false };
  expect(lost).toEqual({ outcomes: [], action });
  expect(core.on({ type: 'linked', generation: 2 }, 20)).toEqual({
    outcomes: [],
    action: { type: 'transmit', untilMs: 4_000 },
  });
  expect(core.on(ACCEPTED, 30).outcomes).toEqual(['sender_accepted']);
  expect(core.attempts).toBe(2);
});

test('a refusal is final', () => {
  const { core } = started(8_000, 8_000);
  core.on(LINKED, 0);
  const end = core.on({ type: 'replied', response: { kind: 'rejected', reason: 'backpressured' } }, 5);
  expect(end.action).toMatchObject({ type: 'finish', result: { kind: 'rejected', reason: 'backpressured' } });
});

const anyEvent = fc.oneof(
  fc.record({ type: fc.constantFrom('link_lost' as const, 'link_silent' as const, 'timed_out' as const) }),
  fc.record({ type: fc.constantFrom('stream_failed' as const, 'congested' as const), why: fc.constant('x') }),
  fc
    .constantFrom(
      { kind: 'accepted' as const },
      { kind: 'incomplete' as const },
      { kind: 'invalid' as const, why: 'x' },
      { kind: 'rejected' as const, reason: 'conflict' as const },
      { kind: 'closed' as const, reason: 'unknown' as const },
    )
    .map((response) => ({ type: 'replied' as const, response })),
);

test('whatever happens, no action outlasts the budget, eighteen transmissions are the most, and retries add up', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 20_000 }),
      fc.integer({ min: 0, max: 40_000 }),
      fc.array(
        fc.record({
          event: anyEvent,
          isLinked: fc.boolean(),
          waitShare: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
        {
          minLength: 48,
          maxLength: 48,
        },
      ),
      (budgetMs, ackMs, happenings) => {
        const core = new SendCore({ budgetMs, ackMs, nowMs: 0 });
        let nowMs = 0;
        let generation = 0;
        let step = core.start(nowMs);
        const outcomes: AckOutcome[] = [...step.outcomes];
        for (const { event, isLinked, waitShare } of happenings) {
          const action: SendAction = step.action;
          if (action.type === 'finish') break;
          expect(action.untilMs).toBeLessThanOrEqual(budgetMs + 1e-6);
          nowMs += Math.max(0, action.untilMs - nowMs) * waitShare;
          generation += 1;
          const found: SendEvent = isLinked ? { type: 'linked', generation } : { type: 'no_link' };
          step = core.on(action.type === 'find_link' ? found : event, nowMs);
          outcomes.push(...step.outcomes);
        }
        expect(step.action.type).toBe('finish');
        expect(core.attempts).toBeLessThanOrEqual(18);
        const count = (name: AckOutcome) => outcomes.filter((outcome) => outcome === name).length;
        expect(count('sender_retry_attempted')).toBe(
          count('sender_retry_accepted') + count('sender_retry_failed'),
        );
        const isAccepted = step.action.type === 'finish' && step.action.result.kind === 'accepted';
        expect(count('sender_accepted')).toBe(isAccepted ? 1 : 0);
      },
    ),
  );
});
