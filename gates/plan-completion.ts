import type { Finding, VerdictWord } from '../proofs/evidence.ts';
import { missing, seen } from '../proofs/observation.ts';
import { listed } from './amounts.ts';
import { worstOf } from './combine.ts';
import type { EvidenceIndex } from './evidence-index.ts';
import type { Gate } from './gate-schema.ts';
import type { Unjudged } from './unjudged.ts';

/** Name under which a verdict says whether the sealed plan was carried out; no definition can leave it out. */
const PLAN_OBJECTIVE = 'the sealed plan was carried out';

interface Shortfall {
  readonly verdict: Exclude<VerdictWord, 'GO'>;
  readonly why: string;
}

const inconclusive = (why: string): Shortfall => ({ verdict: 'INCONCLUSIVE', why });

/** `; 8 objectives on it stay unjudged`, or nothing. */
function unjudgedText(count: number): string {
  if (count === 0) return '';
  return count === 1 ? '; 1 objective on it stays unjudged' : `; ${count} objectives on it stay unjudged`;
}

function windowShortfalls(index: EvidenceIndex, window: number, unjudged: Unjudged): Shortfall[] {
  const of = `window ${window} of ${index.evidence.plan.windows.count}`;
  const untold = unjudgedText(unjudged.count(window, null));
  const isStarted = isBegun(index, window);
  const finished = index.of('window_finished').filter((record) => record.window === window);
  if (!isStarted && finished.length === 0)
    return [inconclusive(`${of} did not run${untold}; running it would decide it`)];
  const shortfalls: Shortfall[] = [];
  if (!isStarted) shortfalls.push(inconclusive(`${of} has no recorded start${untold}`));
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

function isBegun(index: EvidenceIndex, window: number): boolean {
  return index.of('window_started').some((record) => record.window === window);
}

function scenarioShortfalls(
  index: EvidenceIndex,
  window: number,
  scenario: string,
  unjudged: Unjudged,
): Shortfall[] {
  const here = (record: { readonly window: number; readonly scenario: string }) =>
    record.window === window && record.scenario === scenario;
  const at = `${scenario} of window ${window}`;
  const untold = unjudgedText(unjudged.count(window, scenario));
  const isStarted = index.of('scenario_started').some(here);
  const finished = index.of('scenario_finished').filter(here);
  if (finished.length === 0) {
    const said = isStarted ? 'never finished' : 'never began';
    return [inconclusive(`${at} ${said}${untold}; running it would decide it`)];
  }
  const shortfalls = isStarted ? [] : [inconclusive(`${at} has no recorded start`)];
  return [
    ...shortfalls,
    ...finished.flatMap(({ outcome, why }): Shortfall[] => {
      const because = why === null ? '' : `: ${why}`;
      if (outcome === 'not_run') {
        return [inconclusive(`${at} did not run${because}${untold}; running it would decide it`)];
      }
      if (outcome === 'ran') return [];
      const lost = index.ways.whyLost(index.nodes, { window, scenario });
      return [
        lost === null
          ? { verdict: 'NO-GO', why: `${at} failed${because}` }
          : inconclusive(`${at} failed${because}, and ${lost}; running it again would decide it`),
      ];
    }),
  ];
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
  at: Pick<Finding, 'scope' | 'subject' | 'window' | 'scenario'>,
  shortfalls: readonly Shortfall[],
  planned: { readonly count: number; readonly said: string },
): Finding {
  const base = { objective: PLAN_OBJECTIVE, ...at, limit: { min: planned.count } };
  if (shortfalls.length === 0) {
    return { ...base, verdict: 'GO', value: seen(planned.count), margin: 0, reason: planned.said };
  }
  const reason = listed(shortfalls.map((shortfall) => shortfall.why));
  const verdict = worstOf(shortfalls.map((shortfall) => shortfall.verdict));
  return { ...base, verdict, value: missing('absent', reason), margin: null, reason };
}

/** One finding for the window and, once it began, one for each scenario of it. */
function judgeWindow(index: EvidenceIndex, window: number, unjudged: Unjudged): readonly Finding[] {
  const own = findingOf(
    { scope: 'window', subject: `window ${window}`, window, scenario: null },
    windowShortfalls(index, window, unjudged),
    { count: 1, said: `window ${window} ran` },
  );
  if (!isBegun(index, window) && own.verdict !== 'GO') return [own];
  const inside = index.scenarios.map((scenario) =>
    findingOf(
      { scope: 'fleet', subject: 'fleet', window, scenario },
      scenarioShortfalls(index, window, scenario, unjudged),
      { count: 1, said: `${scenario} of window ${window} ran` },
    ),
  );
  return [own, ...inside];
}

/**
 * Whether what was planned happened: a finding for each window, each scenario of it, and the soak (all of it is on
 * record, nothing cut it short). A failed scenario is NO-GO, unless the way to a machine was lost meanwhile; whatever did
 * not run is INCONCLUSIVE, never a GO.
 */
export function judgeCompletion(
  index: EvidenceIndex,
  gate: Gate,
  judgedObjectives: number,
  unjudged: Unjudged,
): readonly Finding[] {
  const { windows } = index;
  const perWindow = windows.flatMap((window) => judgeWindow(index, window, unjudged));
  const whole = { scope: 'soak', subject: 'soak', window: null, scenario: null } as const;
  const planned = { count: windows.length, said: `soak: all ${windows.length} planned ran` };
  return [findingOf(whole, runShortfalls(index, gate, judgedObjectives), planned), ...perWindow];
}
