import type { Finding, VerdictWord } from '../proofs/evidence.ts';
import { missing, seen } from '../proofs/observation.ts';
import { listed } from './amounts.ts';
import { worstOf } from './combine.ts';
import type { EvidenceIndex } from './evidence-index.ts';
import type { Gate } from './gate-schema.ts';

/** Name under which a verdict says whether the sealed plan was carried out; no definition can leave it out. */
const PLAN_OBJECTIVE = 'the sealed plan was carried out';

interface Shortfall {
  readonly verdict: Exclude<VerdictWord, 'GO'>;
  readonly why: string;
}

const inconclusive = (why: string): Shortfall => ({ verdict: 'INCONCLUSIVE', why });

function windowShortfalls(index: EvidenceIndex, window: number): Shortfall[] {
  const of = `window ${window} of ${index.evidence.plan.windows.count}`;
  const isStarted = index.of('window_started').some((record) => record.window === window);
  const finished = index.of('window_finished').filter((record) => record.window === window);
  if (!isStarted && finished.length === 0)
    return [inconclusive(`${of} did not run; running it would decide it`)];
  const shortfalls: Shortfall[] = [];
  if (!isStarted) shortfalls.push(inconclusive(`${of} has no recorded start`));
  if (finished.length === 0)
    shortfalls.push(inconclusive(`${of} never finished; a full window would decide it`));
  for (const { outcome, why } of finished) {
    if (outcome !== 'ran') {
      const said = outcome === 'missed' ? 'did not run (missed)' : 'was interrupted';
      shortfalls.push(
        inconclusive(`${of} ${said}${why === null ? '' : `: ${why}`}; a full window would decide it`),
      );
    }
  }
  return shortfalls;
}

function scenarioShortfalls(index: EvidenceIndex, window: number, scenario: string): Shortfall[] {
  const here = (record: { readonly window: number; readonly scenario: string }) =>
    record.window === window && record.scenario === scenario;
  const at = `${scenario} of window ${window}`;
  const shortfalls: Shortfall[] = [];
  if (!index.of('scenario_started').some(here)) shortfalls.push(inconclusive(`${at} has no recorded start`));
  const finished = index.of('scenario_finished').filter(here);
  if (finished.length === 0)
    shortfalls.push(inconclusive(`${at} never finished; running it would decide it`));
  for (const { outcome, why } of finished) {
    const because = why === null ? '' : `: ${why}`;
    if (outcome === 'failed') {
      const lost = index.ways.whyLost(index.nodes, { window, scenario });
      shortfalls.push(
        lost === null
          ? { verdict: 'NO-GO', why: `${at} failed${because}` }
          : inconclusive(`${at} failed${because}, and ${lost}; running it again would decide it`),
      );
    }
    if (outcome === 'not_run') {
      shortfalls.push(
        inconclusive(`${at} was planned and did not run${because}; running it would decide it`),
      );
    }
  }
  return shortfalls;
}

function runShortfalls(index: EvidenceIndex, gate: Gate, judgedObjectives: number): Shortfall[] {
  const { torn } = index.evidence;
  const shortfalls: Shortfall[] = [];
  const add = (isShort: boolean, why: string) => {
    if (isShort) shortfalls.push(inconclusive(why));
  };
  add(index.nodes.length === 0, 'the plan holds no node, so nothing was judged');
  add(index.windows.length === 0, 'the plan holds no window, so nothing was judged');
  add(index.scenarios.length === 0, 'the plan holds no scenario, so nothing was judged');
  add(index.of('plan_sealed').length === 0, 'the journal does not hold the sealed plan');
  add(
    index.of('evidence_closed').length === 0,
    torn
      ? 'the journal ends inside a record; a whole journal would decide it'
      : 'the journal ends before the evidence was closed; a whole journal would decide it',
  );
  const unjudged = `${gate.name} looks at nothing that was planned, so it judged nothing`;
  add(judgedObjectives === 0, `${unjudged}; a plan with its scenarios would decide it`);
  for (const name of gate.requiresScenarios.filter((required) => !index.scenarios.includes(required))) {
    add(true, `${gate.name} requires scenario ${name}, which was not planned; a run with it would decide it`);
  }
  for (const { signal } of index.of('run_interrupted')) {
    add(true, `the run was interrupted by ${signal}; a whole run would decide it`);
  }
  for (const { condition, why } of index.of('run_stopped')) {
    add(true, `the run was stopped on ${condition}: ${why}; a whole run would decide it`);
  }
  for (const { code, message } of index.of('harness_fault')) {
    add(true, `the harness failed: ${code}: ${message}; a run without it would decide it`);
  }
  return shortfalls;
}

function findingOf(
  at: Pick<Finding, 'scope' | 'subject' | 'window'>,
  shortfalls: readonly Shortfall[],
  planned: number,
): Finding {
  const limit = { min: planned };
  const base = { objective: PLAN_OBJECTIVE, ...at, scenario: null, limit };
  if (shortfalls.length === 0) {
    const reason = `${at.subject}: all ${planned} planned ran`;
    return { ...base, verdict: 'GO', value: seen(planned), margin: 0, reason };
  }
  const reason = listed(shortfalls.map((shortfall) => shortfall.why));
  const verdict = worstOf(shortfalls.map((shortfall) => shortfall.verdict));
  return { ...base, verdict, value: missing('absent', reason), margin: null, reason };
}

/**
 * Whether what was planned happened: one finding per window (its scenarios ran) and one for the soak (all of it is
 * on record, nothing cut it short). A failed scenario is NO-GO, unless the way to a machine was lost meanwhile;
 * whatever did not run is INCONCLUSIVE, never a GO.
 */
export function judgeCompletion(
  index: EvidenceIndex,
  gate: Gate,
  judgedObjectives: number,
): readonly Finding[] {
  const { windows, scenarios } = index;
  const perWindow = windows.map((window) => {
    const short = windowShortfalls(index, window);
    const inside = scenarios.flatMap((scenario) => scenarioShortfalls(index, window, scenario));
    const isUntouched = index.of('window_started').every((record) => record.window !== window);
    const all = isUntouched && short.length > 0 ? short : [...short, ...inside];
    return findingOf({ scope: 'window', subject: `window ${window}`, window }, all, scenarios.length);
  });
  const whole = { scope: 'soak', subject: 'soak', window: null } as const;
  return [...perWindow, findingOf(whole, runShortfalls(index, gate, judgedObjectives), windows.length)];
}
