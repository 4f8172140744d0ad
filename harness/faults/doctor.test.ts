import { describe, expect, it } from 'vitest';
import { fixtureHost } from '../fleet/fixture-host.ts';
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

describe('the doctor', () => {
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
