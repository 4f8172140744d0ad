import { expect, it } from 'vitest';
import { StopLeases } from './stop-leases.ts';

it('a lease cannot be renewed any more while it is being undone', async () => {
  const leases = new StopLeases();
  const undone = Promise.withResolvers<void>();
  leases.hold('f1', 'a', 60_000, () => undone.promise);
  expect(leases.renew('f1', 60_000)).toBe(true);
  const ending = leases.end('f1');
  expect([leases.renew('f1', 60_000), leases.at('a')]).toEqual([false, ['f1']]);
  undone.resolve();
  await ending;
  expect(leases.at('a')).toEqual([]);
});

it('a lease that could not be undone still stands', async () => {
  const leases = new StopLeases();
  leases.hold('f1', 'a', 60_000, () => Promise.reject(new Error('no port')));
  await expect(leases.end('f1')).rejects.toThrow('no port');
  expect(leases.at('a')).toEqual(['f1']);
});
