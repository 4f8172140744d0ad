import { pino } from 'pino';
import { expect, it } from 'vitest';
import { LossReporter } from './loss-reporter.ts';
import { PlumTree } from './plumtree.ts';

it('says what was lost in one line a minute however often it is asked, and nothing while nothing is lost', () => {
  const lines: string[] = [];
  const outbound = { counts: { timeouts: 0, budgetExhausted: 0, failed: 0, controlFailed: 0 } };
  const reporter = new LossReporter({
    core: new PlumTree(),
    inbound: { pending: { dropped: 0, keysNotFound: 0 } },
    outbound,
    log: pino({}, { write: (line) => lines.push(line) }),
  });
  for (let nowMs = 0; nowMs < 120_000; nowMs += 5_000) reporter.report(nowMs);
  expect(lines).toEqual([]);
  for (let nowMs = 120_000; nowMs < 720_000; nowMs += 5_000) {
    outbound.counts.failed += 100;
    reporter.report(nowMs);
  }
  expect(lines).toHaveLength(10);
  expect(lines.at(-1)).toContain('"sendsFailed":10900');
});
