import { expect, it } from 'vitest';
import { TARGET } from './fixture-deployment.ts';
import { lockableHost } from './fixture-lockable-host.ts';
import { deployError } from './problem.ts';
import { type HostChange, oneByOne } from './services.ts';
import { Site } from './site.ts';

const NAMES = ['a', 'b', 'c'];

async function outcomes(change: HostChange, asked = new AbortController()) {
  const sites = NAMES.map((name) => new Site({ ...TARGET, name }, lockableHost(name, ['locked'])));
  const interrupts = { signal: asked.signal, abandon: new AbortController().signal };
  const reports = await oneByOne(sites, 'restarted', change, interrupts);
  return reports.map(({ outcome }) => outcome);
}

const well = async () => ({ version: null, problems: [] });

it('changes all hosts in turn', async () => {
  expect(await outcomes(well)).toEqual(['restarted', 'restarted', 'restarted']);
});

it('stops at the first host that is not well', async () => {
  const change: HostChange = async ({ name }) => {
    if (name === 'b') throw deployError('DEPLOY_UNIT_FAILED', name, 'it does not start');
    return await well();
  };
  expect(await outcomes(change)).toEqual(['restarted', 'failed', 'not_attempted']);
});

it('finishes the host in hand when it is asked to end, and begins no other', async () => {
  const asked = new AbortController();
  const change: HostChange = async () => {
    asked.abort(new Error('Ctrl-C'));
    return await well();
  };
  expect(await outcomes(change, asked)).toEqual(['restarted', 'not_attempted', 'not_attempted']);
});
