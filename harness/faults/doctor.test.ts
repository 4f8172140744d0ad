import { describe, expect, it } from 'vitest';
import { fixtureHost } from '../fleet/fixture-host.ts';
import { HostError } from '../fleet/host-error.ts';
import { examine } from './doctor.ts';

const { signal } = new AbortController();
const CLEAN = JSON.stringify({ ok: true, result: { found: [], remaining: [] } });
const UNIT = 'meshproof-outsiders-20261121T210923Z-1325df-2.service';

/** A host with outsiders on it, who go when systemd is told to stop them, or do not. */
function hostWithOutsiders(whenTold: 'go' | 'stay') {
  let standing = `${UNIT} loaded active running meshproof outsiders\n`;
  return fixtureHost('lab3', ([program, verb]) => {
    if (program !== 'systemctl') return CLEAN;
    if (verb === 'stop' && whenTold === 'go') standing = '';
    return verb === 'list-units' ? standing : '';
  });
}

const LEFT = { run_id: 'old', lease_id: 'x', what: 'table', in_force: true, matched_packets: null };
const answerOf = (remaining: readonly object[]) =>
  JSON.stringify({ ok: true, result: { found: [LEFT], remaining } });

/** A host with a fault on it; `healing` says what its program answers then. Outsiders stay there whatever is done. */
function hostWithFault(name: string, healing: () => string, outsiders = '') {
  const asked: string[] = [];
  const host = fixtureHost(name, ([program], { stdin }) => {
    if (program === 'systemctl') return outsiders;
    const isHealing = JSON.parse(String(stdin)).heal === true;
    asked.push(isHealing ? 'heal' : 'look');
    return isHealing ? healing() : answerOf([LEFT]);
  });
  return { host, asked };
}

describe('the doctor', () => {
  it('heals only when told to, and tells what stands from what could not be seen', async () => {
    const sick = hostWithFault('sick', () => answerOf([]));
    const stuck = hostWithFault('stuck', () =>
      JSON.stringify({ ok: false, code: 'NOT_CLEAN', message: 'table stands' }),
    );
    const well = fixtureHost('well', ([program]) => (program === 'systemctl' ? '' : CLEAN));
    const hidden = fixtureHost('hidden', () => {
      throw new HostError('HOST_LOST', 'hidden', 'cut');
    });
    const states = async (purpose: 'list' | 'heal') =>
      (await examine([sick.host, well, stuck.host, hidden], purpose, signal)).map(({ state }) => state);
    expect(await states('list')).toEqual(['standing', 'clean', 'standing', 'unknown']);
    expect(sick.asked).toEqual(['look']);
    expect(await states('heal')).toEqual(['healed', 'clean', 'standing', 'unknown']);
  });

  it('heals faults on a host whose outsiders cannot be ended, and calls it standing', async () => {
    const standing = `${UNIT} loaded active running meshproof outsiders\n`;
    const { host, asked } = hostWithFault('lab3', () => answerOf([]), standing);
    expect(await examine([host], 'heal', signal)).toMatchObject([{ state: 'standing' }]);
    expect(asked).toEqual(['look', 'heal']);
  });

  it('finds outsiders that were left on a host, and whose they are', async () => {
    const [findings] = await examine([hostWithOutsiders('stay')], 'list', signal);
    expect(findings).toMatchObject({
      state: 'standing',
      found: [{ run_id: '20261121T210923Z-1325df', what: `outsiders ${UNIT}` }],
    });
  });

  it('ends them when it is to heal', async () => {
    const host = hostWithOutsiders('go');
    expect(await examine([host], 'heal', signal)).toMatchObject([{ state: 'healed' }]);
    expect(await examine([host], 'list', signal)).toMatchObject([{ state: 'clean' }]);
  });

  it('does not call a host healed on which they stand even so', async () => {
    const [findings] = await examine([hostWithOutsiders('stay')], 'heal', signal);
    expect(findings).toMatchObject({ state: 'standing', problem: { code: 'NOT_CLEAN' } });
  });

  it('does not call a host clean whose units it could not see', async () => {
    const host = fixtureHost('lab3', ([program]) => {
      if (program === 'systemctl') throw new Error('no bus');
      return CLEAN;
    });
    expect(await examine([host], 'list', signal)).toMatchObject([{ state: 'unknown' }]);
  });
});
