import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VirtualClock } from './clock.ts';
import { Deadline, until, withinBudget } from './deadline.ts';

const never = () => new Promise<never>(() => {});

test('a nested budget never outlives the one around it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(1_000), fc.nat(1_000), fc.nat(1_500), async (outerMs, innerMs, passedMs) => {
      const clock = new VirtualClock();
      const outer = Deadline.in(outerMs, clock);
      await clock.advance(passedMs);
      const inner = outer.within(innerMs);
      expect(inner.remainingMs()).toBe(Math.min(innerMs, Math.max(0, outerMs - passedMs)));
      expect(outer.hasPassed()).toBe(passedMs >= outerMs);
    }),
  );
});

test('work that ignores its signal is left behind when the budget is spent, with a named error', async () => {
  let reason: unknown;
  const work = withinBudget('the reply', 5, (signal) => {
    signal.addEventListener('abort', () => {
      reason = signal.reason;
    });
    return never();
  });
  await expect(work).rejects.toMatchObject({
    code: 'DEADLINE_EXCEEDED',
    message: 'the reply did not happen within 5 ms',
    details: { what: 'the reply', budget_ms: 5 },
  });
  expect(reason).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
});

test('work within its budget gives its value or its own error', async () => {
  await expect(withinBudget('x', 5_000, async () => 7)).resolves.toBe(7);
  await expect(withinBudget('x', 5_000, async () => Promise.reject(new Error('own')))).rejects.toThrow('own');
});

test('work that throws instead of giving a promise leaves no timer behind', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  const broken = withinBudget('x', 60_000, () => {
    throw new Error('own');
  });
  await expect(broken).rejects.toThrow('own');
  expect(timers()).toBe(before);
});

test('an outer signal ends the work with its own reason, also before it began', async () => {
  const stop = new AbortController();
  const work = withinBudget('x', 5_000, never, stop.signal);
  stop.abort(new Error('stop'));
  await expect(work).rejects.toThrow('stop');
  await expect(withinBudget('x', 5_000, async () => 1, stop.signal)).rejects.toThrow('stop');
});

test('until gives the first value that is not undefined, a false or 0 included', async () => {
  let calls = 0;
  const probe = () => {
    calls += 1;
    return calls < 3 ? undefined : 0;
  };
  await expect(until('a value', probe, { budgetMs: 5_000, everyMs: 1 })).resolves.toBe(0);
  expect(calls).toBe(3);
});

test('until asks once more at its deadline, then says what did not happen', async () => {
  const clock = new VirtualClock();
  const askedAtMs: number[] = [];
  const waiting = until('the mesh', () => void askedAtMs.push(clock.nowMs()), {
    budgetMs: 120,
    everyMs: 50,
    clock,
  });
  const outcome = expect(waiting).rejects.toThrow('the mesh did not happen within 120 ms');
  await new Promise(setImmediate); // lets it come to its first sleep
  await clock.advance(1_000);
  await outcome;
  expect(askedAtMs).toEqual([0, 50, 100, 120]);
});
