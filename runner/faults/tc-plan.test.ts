import { describe, expect, it } from 'vitest';
import type { ShapeLease } from './protocol.ts';
import {
  addRootArgv,
  describeTrialFailure,
  deviceOfRoute,
  netemArgv,
  ownDevices,
  removeRootArgv,
  rootQdiscOf,
} from './tc-plan.ts';

const LEASE: ShapeLease = {
  run_id: 'run',
  lease_id: 'f1',
  kind: 'shape',
  ttl_ms: 15_000,
  peers: ['192.0.2.7'],
  delay_ms: 1_500,
  jitter_ms: 200,
  loss_ratio: 0.005,
  rate_kbit: 2_000,
};

const words = (argv: readonly string[]) => argv.join(' ');
const root = (kind: string, handle: string, dev = 'eth0') => ({
  kind,
  handle,
  dev,
  root: true,
  refcnt: 2,
  options: {},
});

describe('the command lines of a shape', () => {
  it('put netem under the fourth band of a prio with our handle', () => {
    expect(words(addRootArgv('eth0'))).toBe('tc qdisc add dev eth0 root handle 6d70: prio bands 4');
    expect(words(netemArgv('eth0', LEASE))).toBe(
      'tc qdisc replace dev eth0 parent 6d70:4 handle 6d71: netem limit 100000 ' +
        'delay 1500ms 200ms distribution normal loss random 0.5000% rate 2000kbit',
    );
  });

  it('leave out what is not asked for', () => {
    const loss = netemArgv('eth0', { ...LEASE, delay_ms: 0, jitter_ms: 0, rate_kbit: null });
    expect(words(loss)).toMatch(/netem limit 100000 loss random 0\.5000%$/);
    const delay = netemArgv('eth0', {
      ...LEASE,
      delay_ms: 0.5,
      jitter_ms: 0,
      loss_ratio: 0,
      rate_kbit: null,
    });
    expect(words(delay)).toMatch(/netem limit 100000 delay 0\.5ms$/);
  });

  it('remove the root by our handle, which the kernel checks', () => {
    expect(words(removeRootArgv('eth0'))).toBe('tc qdisc del dev eth0 root handle 6d70:');
  });
});

describe('whose the root qdisc is', () => {
  it.each(['noqueue', 'pfifo_fast', 'fq_codel', 'fq'])('%s with handle 0: is of the kernel', (kind) => {
    expect(rootQdiscOf(JSON.stringify([root(kind, '0:')]), 'eth0')).toEqual({ owner: 'kernel' });
  });

  it('mq with its children as the kernel made them is of the kernel', () => {
    const children = [1, 2].map((n) => ({
      kind: 'fq_codel',
      handle: '0:',
      dev: 'eth0',
      parent: `:${n}`,
      options: {},
    }));
    expect(rootQdiscOf(JSON.stringify([root('mq', '0:'), ...children]), 'eth0')).toEqual({ owner: 'kernel' });
  });

  it.each([
    ['htb', '1:'],
    ['fq_codel', '8001:'],
    ['prio', '1:'],
    ['prio', '0:'],
    ['htb', '6d70:'],
    ['netem', '8002:'],
  ])('%s with handle %s is foreign', (kind, handle) => {
    expect(rootQdiscOf(JSON.stringify([root(kind, handle)]), 'eth0')).toEqual({
      owner: 'foreign',
      what: `${kind} ${handle} on eth0`,
    });
  });

  it('is foreign when somebody put a qdisc of their own under the root of the kernel', () => {
    const child = { kind: 'fq', handle: '10:', dev: 'eth0', parent: ':1', options: {} };
    expect(rootQdiscOf(JSON.stringify([root('mq', '0:'), child]), 'eth0')).toMatchObject({
      owner: 'foreign',
    });
  });

  it('does not mind qdiscs for arriving packets, nor other devices', () => {
    const ingress = { kind: 'ingress', handle: 'ffff:', dev: 'eth0', parent: 'ffff:fff1', options: {} };
    const listed = [root('noqueue', '0:'), ingress, root('htb', '1:', 'eth1')];
    expect(rootQdiscOf(JSON.stringify(listed), 'eth0')).toEqual({ owner: 'kernel' });
  });

  it('is ours by kind and handle, and so are its devices found', () => {
    const netem = {
      kind: 'netem',
      handle: '6d71:',
      dev: 'eth0',
      parent: '6d70:4',
      options: { limit: 100_000 },
    };
    const listed = JSON.stringify([root('prio', '6d70:'), netem, root('noqueue', '0:', 'eth1')]);
    expect(rootQdiscOf(listed, 'eth0')).toEqual({ owner: 'meshproof' });
    expect(ownDevices(listed)).toEqual(['eth0']);
  });

  it.each(['', 'null', '{}'])('cannot be told from %j', (json) => {
    expect(() => ownDevices(json)).toThrow('not a list of qdiscs');
  });
});

describe('why a kernel cannot carry shapes', () => {
  it('names the module that the failed line needed', () => {
    const said = 'Error: Specified qdisc kind is unknown.\nCommand failed -:';
    expect(describeTrialFailure(`${said}1\n`)).toContain('no prio (module sch_prio)');
    expect(describeTrialFailure(`${said}2\n`)).toContain('no netem (module sch_netem)');
  });

  it('gives other refusals in the words of tc', () => {
    expect(describeTrialFailure('RTNETLINK answers: Operation not permitted\n')).toBe(
      'tc refused a trial qdisc: RTNETLINK answers: Operation not permitted',
    );
  });
});

describe('the device towards a peer', () => {
  it('is that of the route', () => {
    const json = '[{"dst":"192.0.2.9","dev":"va","prefsrc":"192.0.2.1","flags":[],"uid":0,"cache":[]}]';
    expect(deviceOfRoute(json, '192.0.2.9')).toBe('va');
  });

  it('is none for an address of the host itself, or without a route', () => {
    const local = '[{"type":"local","dst":"192.0.2.1","dev":"lo","flags":[],"uid":0}]';
    expect(() => deviceOfRoute(local, '192.0.2.1')).toThrow('an address of this host itself');
    expect(() => deviceOfRoute('', '203.0.113.1')).toThrow('no route leads to 203.0.113.1');
  });
});
