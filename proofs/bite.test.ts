import { describe, expect, it } from 'vitest';
import { biteOf } from './bite.ts';
import type { FaultMeasured, FaultRequested } from './fault-records.ts';

function requested(more: Partial<FaultRequested>): FaultRequested {
  return {
    type: 'fault_requested',
    window: 1,
    scenario: 's',
    fault_id: 'f1',
    kind: 'cut',
    targets: ['a'],
    edges: [['a', 'b']],
    spec: {},
    ttl_ms: 15_000,
    ...more,
  };
}

function measured(phase: FaultMeasured['phase'], more: Partial<FaultMeasured>): FaultMeasured {
  return {
    type: 'fault_measured',
    fault_id: 'f1',
    phase,
    role: 'faulted',
    edge: null,
    node: null,
    probes: null,
    matched_packets: null,
    process: null,
    unreadable: null,
    ...more,
  };
}

const EDGE: [string, string] = ['a', 'b'];
const probe = (answered: number, rtt_ms: number | null = answered === 0 ? null : 1) => ({
  edge: EDGE,
  probes: { sent: 3, answered, rtt_ms },
});
const process = (state: NonNullable<FaultMeasured['process']>['state'], boot_id: string | null) => ({
  node: 'a',
  process: { state, boot_id },
});
const pause: Partial<FaultRequested> = { kind: 'pause', edges: [] };
const restart: Partial<FaultRequested> = { kind: 'restart', edges: [] };
const delay = { kind: 'shape', spec: { delay_ms: 100 } } as const;
const loss = { kind: 'shape', spec: { loss_ratio: 0.1 } } as const;
const large = { spec: { larger_than_bytes: 200 } } as const;

describe('a fault bites', () => {
  it.for<readonly [string, Partial<FaultRequested>, readonly FaultMeasured[], string]>([
    ['cut: silence after answers', {}, [measured('before', probe(3)), measured('during', probe(0))], 'yes'],
    ['cut: one answer of three', {}, [measured('before', probe(3)), measured('during', probe(1))], 'no'],
    [
      'cut: silence before as well',
      {},
      [measured('before', probe(0)), measured('during', probe(0))],
      'unknown',
    ],
    ['cut: packets met the rule', {}, [measured('during', { edge: EDGE, matched_packets: 1 })], 'yes'],
    [
      'cut: packets met the rule, and it answers',
      {},
      [measured('during', { ...probe(3), matched_packets: 9 })],
      'no',
    ],
    ['cut: nothing measured', {}, [], 'unknown'],
    [
      'cut of large packets: probes pass',
      large,
      [measured('during', { ...probe(3), matched_packets: 0 })],
      'no',
    ],
    [
      'cut of large packets: some met it',
      large,
      [measured('during', { ...probe(3), matched_packets: 2 })],
      'yes',
    ],
    ['cut of large packets: nothing counts', large, [measured('during', probe(3))], 'unknown'],
    [
      'delay: half of it felt',
      delay,
      [measured('before', probe(3, 1)), measured('during', probe(3, 51))],
      'yes',
    ],
    [
      'delay: less than half',
      delay,
      [measured('before', probe(3, 1)), measured('during', probe(3, 50))],
      'no',
    ],
    [
      'delay: all probes lost',
      delay,
      [measured('before', probe(3, 1)), measured('during', probe(0))],
      'unknown',
    ],
    ['loss: a probe lost', loss, [measured('during', probe(2))], 'yes'],
    ['loss: no packet met it', loss, [measured('during', { ...probe(3), matched_packets: 0 })], 'no'],
    ['pause: paused', pause, [measured('during', process('paused', null))], 'yes'],
    ['pause: running', pause, [measured('during', process('running', 'x'))], 'no'],
    ['pause: unseen', pause, [measured('during', { node: 'a', unreadable: 'gone' })], 'unknown'],
    ['stop: gone', { ...pause, kind: 'stop' }, [measured('during', process('gone', null))], 'yes'],
    ['stop: paused only', { ...pause, kind: 'stop' }, [measured('during', process('paused', null))], 'no'],
    [
      'restart: another process',
      restart,
      [measured('before', process('running', 'x')), measured('after', process('running', 'y'))],
      'yes',
    ],
    [
      'restart: the same process',
      restart,
      [measured('before', process('running', 'x')), measured('after', process('running', 'x'))],
      'no',
    ],
    [
      'restart: it never came back',
      restart,
      [measured('before', process('running', 'x')), measured('after', process('gone', null))],
      'unknown',
    ],
  ])('%s', ([, request, looks, bites]) => {
    expect(biteOf({ requested: requested(request), measured: looks })).toMatchObject({ bites });
  });

  it('only as long as its newest measurement shows it', () => {
    const looks = [measured('before', probe(3)), measured('during', probe(0)), measured('during', probe(3))];
    expect(biteOf({ requested: requested({}), measured: looks })).toMatchObject({ bites: 'no' });
  });

  it('only when every edge feels it', () => {
    const both = requested({ edges: [EDGE, ['b', 'a']] });
    const looks = [measured('before', probe(3)), measured('during', probe(0))];
    expect(biteOf({ requested: both, measured: looks })).toMatchObject({
      bites: 'unknown',
      why: expect.stringContaining('b→a'),
    });
  });

  it('only what it was meant to: a control that becomes slow as well says that it does more', () => {
    const control = { role: 'control', edge: ['a', 'c'] as [string, string] } as const;
    const looks = [
      measured('before', probe(3, 1)),
      measured('during', probe(3, 101)),
      measured('before', { ...probe(3, 1), ...control }),
      measured('during', { ...probe(3, 90), ...control }),
    ];
    expect(biteOf({ requested: requested(delay), measured: looks })).toMatchObject({
      bites: 'no',
      why: expect.stringContaining('control a→c became slower'),
    });
  });
});
