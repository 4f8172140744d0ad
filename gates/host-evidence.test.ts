import { describe, expect, it } from 'vitest';
import type { EvidenceRecord, RecordOf } from '../proofs/evidence.ts';
import { missing } from '../proofs/observation.ts';
import type { Plan } from '../proofs/plan-schema.ts';
import { indexEvidence } from './evidence-index.ts';
import { judgeHosts } from './host-evidence.ts';
import { evidenceOf } from './planted-defects.ts';

const base = evidenceOf();
const onHosts: Plan = { ...base.plan, safety: { ...base.plan.safety, environment: 'lab' } };
const { windows } = indexEvidence(base);
const nodes = onHosts.roster.map(({ name }) => name);
const [first = ''] = nodes;
const OTHER = 'f'.repeat(64);

type Program = RecordOf<'program_seen'>['program'];
const planned: Program = {
  seen: {
    executable: '/opt/bin/node',
    bundle_sha256: onHosts.bundle_sha256,
    reported_sha256: onHosts.bundle_sha256,
  },
};

/** Every window and node as planned, but for what `change` gives for the first node in window `at`, the first. */
function judged(
  change: Program | 'left out' = planned,
  more: readonly EvidenceRecord[] = [],
  at = windows[0],
) {
  const looks = windows.flatMap((window) =>
    nodes.flatMap((node): EvidenceRecord[] => {
      const program = window === at && node === first ? change : planned;
      return program === 'left out' ? [] : [{ type: 'program_seen', window, node, program }];
    }),
  );
  const records = [...base.records, ...looks, ...more];
  return judgeHosts(indexEvidence({ ...base, plan: onHosts, records }));
}

const lost: EvidenceRecord = {
  type: 'control_lost',
  node: first,
  code: 'HOST_LOST',
  why: 'gone',
  since_mono_ms: 1,
};
const regained: EvidenceRecord = { type: 'control_regained', node: first, after_ms: 10, at_mono_ms: 11 };

describe('machines of their own', () => {
  it('are not asked for where the nodes run on this one', () => {
    expect(judgeHosts(indexEvidence(base))).toEqual([]);
  });

  it('pass when each was seen to run the planned programs, window after window', () => {
    const findings = judged();
    expect(findings.map(({ verdict }) => verdict)).toEqual([...windows.map(() => 'GO'), 'GO']);
  });

  it.for([
    ['another bundle', { bundle_sha256: OTHER }, /runs bundle ffffffffffff, planned is/],
    ['a program that is none of ours', { bundle_sha256: null }, /runs \/opt\/bin\/node, which is no program/],
    ['a node that says it is another', { reported_sha256: OTHER }, /says that it runs bundle ffffffffffff/],
  ] as const)('are NO-GO with %s', ([, change, why]) => {
    if (!('seen' in planned)) throw new Error('the fixture is seen');
    const [finding] = judged({ seen: { ...planned.seen, ...change } });
    expect(finding).toMatchObject({ verdict: 'NO-GO', reason: expect.stringMatching(why), window: 1 });
  });

  it('may run what the run itself upgraded them to in an earlier window, and nobody else', () => {
    const upgraded = { executable: '/opt/bin/node', bundle_sha256: OTHER, reported_sha256: OTHER };
    const staged = (node: string, window: number): EvidenceRecord => ({
      ...{ type: 'upgrade_staged', scenario: 'rolling_upgrade' },
      ...{ node, window, bundle_sha256: OTHER },
    });
    const second = (node: string, window = 1) =>
      judged({ seen: upgraded }, [staged(node, window)], 2)[1]?.verdict;
    expect(second(first)).toBe('GO');
    expect(second(first, 2)).toBe('NO-GO'); // it ran that before it was told to
    expect(second(nodes[1] ?? '')).toBe('NO-GO');
  });

  it.for([
    ['was never looked at', 'left out'],
    ['could not be looked at', missing('unreadable', 'HOST_LOST')],
  ] as const)('are INCONCLUSIVE when one %s', ([, change]) => {
    const [finding] = judged(change);
    expect(finding).toMatchObject({ verdict: 'INCONCLUSIVE', reason: expect.stringContaining(first) });
  });

  it('are INCONCLUSIVE, never NO-GO, when the way to one was lost and not found again', () => {
    expect(judged(planned, [lost, regained]).at(-1)).toMatchObject({ verdict: 'GO' });
    const finding = judged(planned, [lost, regained, lost]).at(-1);
    expect(finding).toMatchObject({
      verdict: 'INCONCLUSIVE',
      reason: expect.stringContaining('says nothing about the nodes'),
    });
  });
});
