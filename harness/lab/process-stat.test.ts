import { expect, test } from 'vitest';
import { parseProcessStat, readProcessStat } from './process-stat.ts';

test('the state of a process is found behind its name, whatever that holds', () => {
  const text = `42 (a) S (b c)) T 1 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 11 0 987654 1 2`;
  expect(parseProcessStat(text)).toEqual({ state: 'T', startTicks: '987654' });
  expect(parseProcessStat('')).toBeUndefined();
});

test.skipIf(process.platform !== 'linux')('this process runs; one that cannot be has no state', () => {
  expect(readProcessStat(process.pid)?.state).toMatch(/^[RSD]$/);
  expect(readProcessStat(2 ** 22 + 1)).toBeUndefined();
});
