import { pathSegment } from '../path-names.ts';
import type { Proof } from '../read-proof.ts';
import { faultFacts, faultJson } from './fault-facts.ts';
import { recordsOf } from './window-facts.ts';

/**
 * What a scenario leaves for machines, by path inside the proof directory: `peer-score-trajectory.json` when nodes were
 * asked how they see each other, `recovery.json` when something was broken or timed. Rendered from records alone.
 */
export function scenarioArtifacts(proof: Proof): Readonly<Record<string, string>> {
  return Object.fromEntries(
    proof.plan.scenarios.flatMap(({ name, options }) => {
      const folder = `scenarios/${pathSegment(name)}`;
      const trajectory = trajectoryOf(proof, name);
      const recovery = recoveryOf(proof, name);
      const text = (format: string, windows: readonly object[]) =>
        `${JSON.stringify({ format, scenario: name, options, windows }, null, 2)}\n`;
      return [
        ...(trajectory.length === 0
          ? []
          : [[`${folder}/peer-score-trajectory.json`, text('meshproof.trajectory.v1', trajectory)] as const]),
        ...(recovery.length === 0
          ? []
          : [[`${folder}/recovery.json`, text('meshproof.recovery.v1', recovery)] as const]),
      ];
    }),
  );
}

/** Per window, the looks in the order in which they were taken. */
function trajectoryOf(proof: Proof, scenario: string): readonly object[] {
  const views = recordsOf(proof, 'peer_view').filter((view) => view.scenario === scenario);
  return [...Map.groupBy(views, ({ window }) => window)].map(([window, own]) => ({
    window,
    samples: own.map(({ type: _, window: __, scenario: ___, ...view }) => view),
  }));
}

/** Per window, its faults, its figures, the recoveries of single nodes, and the messages it sent to find out. */
function recoveryOf(proof: Proof, scenario: string): readonly object[] {
  const here = (window: number) => (record: { readonly window: number; readonly scenario: string }) =>
    record.window === window && record.scenario === scenario;
  const ends = recordsOf(proof, 'scenario_finished').filter((end) => end.scenario === scenario);
  return ends.flatMap(({ window, outcome, why, took_ms }) => {
    const isHere = here(window);
    const faults = faultFacts(proof).filter(isHere);
    const measures = recordsOf(proof, 'measurement').filter(isHere);
    const recovered = recordsOf(proof, 'node_recovered').filter(isHere);
    if (faults.length + measures.length + recovered.length === 0) return [];
    const sends = recordsOf(proof, 'pair_outcome').filter((one) => isHere(one) && one.label !== undefined);
    return [
      {
        window,
        outcome,
        why,
        took_ms,
        faults: faults.map(faultJson).map(({ window: _, scenario: __, ...fault }) => fault),
        measures: measures.map(({ name, node, peer, value, why: because }) => ({
          name,
          node,
          peer,
          value,
          why: because,
        })),
        recovered: recovered.map(({ node, after_ms }) => ({ node, after_ms })),
        sends: [...Map.groupBy(sends, ({ label }) => label)].map(([label, own]) => ({
          label,
          sent: own.length,
          delivered: own.filter(({ accepted, received }) => accepted && received).length,
        })),
      },
    ];
  });
}
