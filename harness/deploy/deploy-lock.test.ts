import { describe, expect, it } from 'vitest';
import { sshdMissing, TestSshd } from '../fleet/fixture-sshd.ts';
import { DeployLocks, lockHost } from './deploy-lock.ts';
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

/** The lock of this machine is left to its own deployments: here it is that of the directory of the shim. */
const FLOCK = `for word; do
  shift; [ "$word" != /etc/systemd/system ] || word=$(dirname "$0"); set -- "$@" "$word"
done
exec /usr/bin/flock "$@"`;
const missing = sshdMissing();

describe.skipIf(missing !== null)(
  `the locks of a deployment${missing === null ? '' : ` (skipped: ${missing})`}`,
  { timeout: 30_000, concurrent: true }, // each waits for a lock that it is not to get
  () => {
    it('are held until they are let go', async () => {
      await using sshd = await TestSshd.start({ shims: { flock: FLOCK } });
      await using host = await sshd.host();
      await using other = await sshd.host();
      {
        await using locks = new DeployLocks();
        expect(await locks.hold(host, signal)).toBe('taken');
        expect([await locks.hold(host, signal), await locks.hold(host, signal)]).toEqual(['held', 'held']);
        await expect(lockHost(other, signal)).rejects.toMatchObject({ code: 'DEPLOY_LOCKED' });
      }
      await using lock = await lockHost(other, signal);
      expect(lock).toBeDefined();
    });

    it('are taken again when the connection was lost, unless somebody else was quicker', async () => {
      await using sshd = await TestSshd.start({ shims: { flock: FLOCK } });
      await using host = await sshd.host();
      await using locks = new DeployLocks();
      await locks.hold(host, signal);
      await sshd.cutConnections();
      expect(await locks.hold(host, signal)).toBe('taken');
      expect(await locks.hold(host, signal)).toBe('held');
      await sshd.cutConnections();
      await using quicker = await sshd.host();
      await using _lock = await lockHost(quicker, signal);
      await expect(locks.hold(host, signal)).rejects.toMatchObject({ code: 'DEPLOY_LOCKED' });
    });
  },
);
