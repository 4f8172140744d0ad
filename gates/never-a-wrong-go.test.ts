import { describe, expect, test } from 'vitest';
import { DOCUMENT_NAMES, type EvidenceRecord } from '../proofs/evidence.ts';
import type { FixtureOverrides } from '../proofs/fixture.ts';
import { missing } from '../proofs/observation.ts';
import type { Evidence } from './evidence-index.ts';
import { judge } from './judge.ts';
import { parseGate } from './parse-gate.ts';
import {
  added,
  changed,
  evidenceOf,
  figureFrom,
  objectivesThatAre,
  reasonsText,
  restarted,
  shippedGate,
  without,
} from './planted-defects.ts';

const gates = [shippedGate('limited-production'), shippedGate('broad-launch')];

/** Judges by both shipped gates; they must agree on the overall verdict. */
function judged(evidence: Evidence) {
  const [verdict, other] = gates.map((gate) => judge(evidence, gate));
  if (verdict === undefined || other === undefined) throw new Error('two gates expected');
  expect(other.overall).toBe(verdict.overall);
  return verdict;
}

function docsWithout(pattern: RegExp): Evidence {
  const evidence = evidenceOf();
  const unreadable = missing('unreadable', 'HTTP 500');
  const documents = [...evidence.documents].map(
    ([file, document]) => [file, pattern.test(file) ? unreadable : document] as const,
  );
  return { ...evidence, documents: new Map(documents) };
}

const ofSample =
  (node: string, phase: string, window: number) =>
  (record: EvidenceRecord): boolean =>
    record.type === 'sample' && record.node === node && record.phase === phase && record.window === window;

describe('holes of earlier judges, closed', () => {
  test.each<readonly [string, RegExp]>([
    ['gossip post unreadable, connectivity fine', /nyc-post-gossip/],
    ['gossip unreadable on both sides, connectivity fine', /-gossip/],
    ['everything unreadable', /./],
    ['one node that never answers', /nyc-/],
  ])('%s is INCONCLUSIVE', (_, pattern) => {
    const verdict = judged(docsWithout(pattern));
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(reasonsText(verdict)).toMatch(/\w+: gossip of window 1 baseline (pre|post): .*HTTP 500.*nyc/);
  });

  test('a missing pre sample turns lifetime counters neither into growth nor into 0', () => {
    const lifetime = figureFrom('nyc', 1, 'gossip.recv_pump.pubsub.dropped_full', 15_282);
    const verdict = judged(evidenceOf({ ...lifetime, ...without(ofSample('nyc', 'pre', 2)) }));
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(reasonsText(verdict)).toContain('nyc: diagnostics of window 2 baseline pre were never sampled');
  });

  test('a restart with new drops below the old counter value is NO-GO, and its counters are unreadable', () => {
    const drops: FixtureOverrides['body'] = (body, name, place) => {
      const figure = place.node === 'nyc' && place.step >= 6 ? 3 : 1_000;
      return figureFrom(place.node, 1, 'gossip.recv_pump.pubsub.dropped_full', figure).body(
        body,
        name,
        place,
      );
    };
    const verdict = judged(evidenceOf({ ...restarted('nyc', 6), body: drops }));
    expect(objectivesThatAre('NO-GO', verdict)).toEqual(['no undeclared restart']);
    expect(verdict.windows.map((window) => window.verdict)).toEqual(['GO', 'NO-GO']);
    expect(reasonsText(verdict)).toMatch(/INCONCLUSIVE no receive drops.*: .*nyc restarted undeclared/);
  });

  test.each([
    ['null', null],
    ['a string', '0'],
    ['not there', undefined],
    ['negative', -1],
  ])('a counter that is %s is INCONCLUSIVE, never 0', (_, value) => {
    const verdict = judged(evidenceOf(figureFrom('nyc', 8, 'gossip.recv_pump.pubsub.dropped_full', value)));
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(reasonsText(verdict)).toMatch(/nyc: gossip\S* of window 2 fanout_burst post/);
  });

  test('a counter that is below 0 throughout is INCONCLUSIVE', () => {
    const verdict = judged(evidenceOf(figureFrom('nyc', 1, 'gossip.recv_pump.pubsub.dropped_full', -1)));
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(reasonsText(verdict)).toContain('a counter below 0');
  });

  test('a null dispatcher is INCONCLUSIVE', () => {
    const verdict = judged(evidenceOf(figureFrom('nyc', 2, 'gossip.dispatcher.pubsub', null)));
    expect(verdict.overall).toBe('INCONCLUSIVE');
  });

  test('no nodes, no windows, no records: INCONCLUSIVE each', () => {
    const healthy = evidenceOf();
    const { plan } = healthy;
    for (const evidence of [
      { ...healthy, records: [] },
      { ...healthy, plan: { ...plan, roster: [], pairs: [] } },
      { ...healthy, plan: { ...plan, windows: { count: 0, interval_ms: 0 } } },
      { ...healthy, plan: { ...plan, scenarios: [] } },
    ]) {
      expect(judged(evidence).overall).toBe('INCONCLUSIVE');
    }
  });
});

describe('what was planned and did not happen', () => {
  test('windows that never ran are named', () => {
    const evidence = evidenceOf({ windows: 3 });
    const from = evidence.records.findIndex((r) => r.type === 'window_started' && r.window === 2);
    const interrupted: EvidenceRecord = { type: 'run_interrupted', signal: 'SIGINT' };
    const verdict = judged({ ...evidence, records: [...evidence.records.slice(0, from), interrupted] });
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(verdict.windows.map((window) => window.verdict)).toEqual(['GO', 'INCONCLUSIVE', 'INCONCLUSIVE']);
    expect(reasonsText(verdict)).toContain('window 3 of 3 did not run');
    expect(reasonsText(verdict)).toContain('interrupted by SIGINT');
  });

  test.each(['missed', 'interrupted'] as const)('a window that was %s is INCONCLUSIVE', (outcome) => {
    const record = changed(
      'window_finished',
      ({ window }) => window === 2,
      (r) => ({ ...r, outcome, why: 'late' }),
    );
    expect(judged(evidenceOf(record)).windows.map((window) => window.verdict)).toEqual([
      'GO',
      'INCONCLUSIVE',
    ]);
  });

  test('a scenario that failed is NO-GO, one that did not run INCONCLUSIVE', () => {
    const outcome = (word: 'failed' | 'not_run') =>
      evidenceOf(
        changed(
          'scenario_finished',
          ({ window }) => window === 1,
          (r) => ({ ...r, outcome: word, why: 'why' }),
        ),
      );
    expect(judged(outcome('failed')).overall).toBe('NO-GO');
    expect(judged(outcome('not_run')).overall).toBe('INCONCLUSIVE');
  });

  test('a scenario that the gate requires and the plan leaves out is INCONCLUSIVE', () => {
    const verdict = judged(evidenceOf({ scenarios: ['fanout_burst'] }));
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(reasonsText(verdict)).toContain('requires scenario baseline, which was not planned');
  });

  test('a planned pair without an outcome, or never sent, is INCONCLUSIVE and named', () => {
    const gone = without((r) => r.type === 'pair_outcome' && r.window === 1 && r.from === 'nyc');
    expect(reasonsText(judged(evidenceOf(gone)))).toContain('nyc→ams: not measured in window 1 baseline');
    const unsent = changed(
      'pair_outcome',
      ({ window, from }) => window === 1 && from === 'nyc',
      (record) => ({
        ...record,
        sent: false,
        accepted: false,
        acked: false,
        received: false,
        received_sha256: null,
        sender_verified: null,
        attempts: null,
        path: null,
        failure: { class: 'command_dispatch_fail', detail: 'nyc → ams: runner of nyc: ECONNREFUSED' },
      }),
    );
    const verdict = judged(evidenceOf(unsent));
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(reasonsText(verdict)).toContain('nyc→ams: runner of nyc: ECONNREFUSED (command_dispatch_fail)');
  });

  test('a subscriber that was never heard of is INCONCLUSIVE with the reason given at the time', () => {
    const told: EvidenceRecord = {
      type: 'subscriber_missing',
      window: 2,
      scenario: 'fanout_burst',
      node: 'nyc',
      why: 'runner gone',
    };
    const evidence = evidenceOf(
      changed(
        'burst_delivery',
        ({ window, subscriber }) => window === 2 && subscriber === 'nyc',
        () => told,
      ),
    );
    const verdict = judged(evidence);
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(reasonsText(verdict)).toContain('nyc: deliveries of window 2 fanout_burst: runner gone');
  });

  test('a burst smaller than the sealed plan is INCONCLUSIVE, however well it was delivered', () => {
    const evidence = evidenceOf();
    const scenarios = evidence.plan.scenarios.map((one) => ({ ...one, options: { messages: 500 } }));
    const verdict = judged({ ...evidence, plan: { ...evidence.plan, scenarios } });
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(reasonsText(verdict)).toContain('the record plans 200 messages, the sealed plan 500');
  });

  test('a declared restart that never happened proves no recovery', () => {
    const at = { window: 1, scenario: 'restart_storm', node: 'nyc' } as const;
    const evidence = evidenceOf({
      windows: 1,
      scenarios: ['baseline', 'fanout_burst', 'restart_storm'],
      ...added(1, { type: 'restart_declared', ...at }, { type: 'node_recovered', ...at, after_ms: 10 }),
    });
    expect(reasonsText(judged(evidence))).toContain('nyc: its declared restart was never seen to happen');
  });
});

describe('what spoils the whole run', () => {
  test('a harness fault is INCONCLUSIVE and named', () => {
    const fault: EvidenceRecord = {
      type: 'harness_fault',
      code: 'MESH_TIMEOUT',
      message: 'no mesh',
      details: {},
    };
    const verdict = judged(evidenceOf(added(2, fault)));
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(reasonsText(verdict)).toContain('MESH_TIMEOUT: no mesh');
  });

  test('a journal that ends before the evidence was closed is INCONCLUSIVE, torn or cut between records', () => {
    const finished = evidenceOf();
    const cut = evidenceOf(
      without((record) => record.type === 'evidence_closed' || record.type === 'run_finished'),
    );
    expect(judged({ ...cut, torn: true }).overall).toBe('INCONCLUSIVE');
    expect(judged({ ...finished, torn: true }).overall).toBe('GO');
    expect(judged({ ...cut, torn: false }).overall).toBe('INCONCLUSIVE');
  });

  test('an unexpected exit is NO-GO with node, role and window', () => {
    const killed: EvidenceRecord = {
      type: 'process_exited',
      node: 'ams',
      role: 'node',
      code: null,
      signal: 'SIGKILL',
      expected: false,
      last_words: [],
    };
    const verdict = judged(evidenceOf(added(1, killed)));
    expect(verdict.windows.map((window) => window.verdict)).toEqual(['NO-GO', 'GO']);
    expect(reasonsText(verdict)).toContain('node of ams ended unexpectedly (signal SIGKILL)');
  });

  test('stale and absent documents are told apart from unreadable ones', () => {
    const stale = changed(
      'sample',
      ({ node, phase, window }) => node === 'nyc' && phase === 'post' && window === 2,
      (record) => ({
        ...record,
        documents: Object.fromEntries(DOCUMENT_NAMES.map((name) => [name, missing('stale', '31 s old')])),
      }),
    );
    const verdict = judged(evidenceOf(stale));
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(verdict.findings.some(({ value }) => 'missing' in value && value.missing === 'stale')).toBe(true);
  });
});

test('a required document beside the metric’s own is demanded too', () => {
  const gate = parseGate(
    `name = "one"\ndescription = "d"\n[[objective]]\nname = "o"\nmetric = "pairs.delivered_ratio"\nscope = "soak"\n` +
      `scenarios = ["baseline"]\nlimit = { min = 1 }\nrequires = ["ack"]\nwhy = "w"\n`,
    'one.toml',
  );
  expect(judge(evidenceOf(), gate).overall).toBe('GO');
  expect(judge(docsWithout(/nyc-pre-ack/), gate).overall).toBe('INCONCLUSIVE');
  expect(judge(docsWithout(/-dm/), gate).overall).toBe('GO');
});
