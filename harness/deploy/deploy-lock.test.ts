import { expect, it } from 'vitest';
import { lockHost } from './deploy-lock.ts';
import { lockableHost } from './fixture-lockable-host.ts';

const { signal } = new AbortController();

it('holds the lock for as long as its session', async () => {
  await using lock = await lockHost(lockableHost('nyc', ['locked']), signal);
  expect(lock).toBeDefined();
});

it.each([
  ['somebody else holds it', 73, '', 'DEPLOY_LOCKED'],
  ['the connection ended', null, '', 'HOST_LOST'],
  ['the user may not be root', 1, 'sudo: a password is required\n', 'HOST_SUDO'],
  ['there is no flock', 127, 'sh: flock: not found', 'DEPLOY_STEP_FAILED'],
])('says why there is no lock when %s', async (_, code, stderr, expected) => {
  const host = lockableHost('nyc', [], { code, stderr });
  await expect(lockHost(host, signal)).rejects.toMatchObject({ code: expected });
});
