import { describe, expect, it } from 'vitest';
import type { Safety } from '../../proofs/safety-schema.ts';
import { edgesBetween, edgesFrom, type FaultRequest } from '../../scenarios/faults.ts';
import { faultedNodes, targetsOf } from './fault-leases.ts';
import { refusalOf } from './safety-nets.ts';

const SIX = ['a', 'b', 'c', 'd', 'e', 'f'];
const FLEET = { anchor: 'a', nodes: SIX };
const ALL: Safety['allowed'] = ['netem', 'partition', 'restart', 'pause'];
const allowed = { allowed: ALL, waived: [] } satisfies Pick<Safety, 'allowed' | 'waived'>;

const pair: FaultRequest = { kind: 'cut', edges: edgesBetween(['b'], ['c']) };
const evenSplit: FaultRequest = { kind: 'cut', edges: edgesBetween(['a', 'b', 'c'], ['d', 'e', 'f']) };
const smallSplit: FaultRequest = { kind: 'cut', edges: edgesBetween(['e', 'f'], ['a', 'b', 'c', 'd']) };
const slowNode: FaultRequest = { kind: 'shape', edges: edgesFrom('f', SIX), delayMs: 1_500 };
const restart = (...nodes: readonly string[]): FaultRequest => ({ kind: 'restart', nodes });

describe('the nodes of a fault', () => {
  it.for([
    ['a pair', pair, ['b', 'c'], 1],
    ['a split', smallSplit, ['e', 'f'], 2],
    ['an even split', evenSplit, ['a', 'd', 'e', 'f', 'b', 'c'], 3],
    ['a slow node', slowNode, ['f'], 1],
    ['a restart', restart('b', 'c'), ['b', 'c'], 2],
  ] as const)(
    'of %s are those that suffer most, and it counts as the fewest that explain it',
    ([, request, targets, count]) => {
      expect(new Set(targetsOf(request))).toEqual(new Set(targets));
      expect(faultedNodes(request, 'a')).toHaveLength(count);
    },
  );

  it('of an even split are on the side without the anchor', () => {
    expect(faultedNodes(evenSplit, 'a')).not.toContain('a');
    expect(faultedNodes(evenSplit, 'e')).not.toContain('e');
  });
});

describe('a safety net', () => {
  it.for<
    readonly [
      string,
      FaultRequest,
      readonly FaultRequest[],
      Pick<Safety, 'allowed' | 'waived'>,
      string | null,
    ]
  >([
    ['lets a pair be cut', pair, [], allowed, null],
    ['lets the smaller side be cut off', smallSplit, [], allowed, null],
    ['lets a third restart', restart('b', 'c'), [], allowed, null],
    ['wants leave', pair, [], { ...allowed, allowed: ['netem', 'restart', 'pause'] }, '--allow-partition'],
    ['wants leave for delay', slowNode, [], { ...allowed, allowed: ['partition'] }, '--allow-netem'],
    ['wants leave for pauses', { kind: 'stop', node: 'b' }, [], { ...allowed, allowed: [] }, '--allow-pause'],
    ['keeps the anchor', restart('a'), [], allowed, '--waive-anchor'],
    [
      'keeps the anchor from being slow',
      { ...slowNode, edges: edgesFrom('a', SIX) },
      [],
      allowed,
      '--waive-anchor',
    ],
    ['keeps two thirds', restart('b', 'c', 'd'), [], allowed, '--waive-third'],
    ['keeps two thirds of all faults together', restart('b', 'c'), [slowNode], allowed, '--waive-third'],
    ['keeps half of an even split', evenSplit, [], allowed, '--waive-third'],
    ['keeps one fault per host', { kind: 'pause', node: 'b' }, [pair], allowed, '--waive-one-per-host'],
    ['waives the anchor', restart('a'), [], { ...allowed, waived: ['anchor'] }, null],
    ['waives the third', evenSplit, [], { ...allowed, waived: ['third'] }, null],
    [
      'waives one per host',
      { kind: 'pause', node: 'b' },
      [pair],
      { ...allowed, waived: ['one_per_host'] },
      null,
    ],
    ['lets other hosts have another', { kind: 'pause', node: 'd' }, [pair], allowed, null],
  ])('%s', ([, request, active, rules, flag]) => {
    expect(refusalOf(request, active, FLEET, rules)?.flag ?? null).toBe(flag);
  });
});
