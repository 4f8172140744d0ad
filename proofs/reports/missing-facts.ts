import { DOCUMENT_NAMES, type SampleRecord } from '../evidence.ts';
import { isSeen, missing } from '../observation.ts';
import type { Proof } from '../read-proof.ts';
import { shortWhy } from '../telemetry-records.ts';
import type { SampleIndex } from './node-span.ts';
import { matrixOutcomes, matrixScenarios, recordsOf, type WindowFacts } from './window-facts.ts';

/** Everything that the plan asked for and nobody saw, one line each, in the order of the plan. */
export function missingFacts(
  proof: Proof,
  samples: SampleIndex,
  windows: readonly WindowFacts[],
): readonly string[] {
  return [
    ...tornJournal(proof),
    ...windows.flatMap((window) => missingOf(window, proof, samples)),
    ...missingOnSchedule(recordsOf(proof, 'sample')),
  ];
}

function tornJournal({ torn }: Proof): string[] {
  return torn === null ? [] : [`journal: line ${torn.line} was cut off after ${torn.bytes} bytes`];
}

const because = (why: string | null) => (why === null ? '' : `: ${why}`);

function missingOf(facts: WindowFacts, proof: Proof, samples: SampleIndex): string[] {
  const { window, outcome, why } = facts;
  const lines = outcome === 'ran' ? [] : [`window ${window}: ${outcome.replace('_', ' ')}${because(why)}`];
  if (outcome === 'not_run' || outcome === 'missed') return lines;
  for (const { scenario, outcome: end, why: reason } of facts.scenarios) {
    if (end !== 'ran') lines.push(`window ${window} ${scenario}: ${end.replace('_', ' ')}${because(reason)}`);
    if (end !== 'not_run') lines.push(...missingDocuments(window, scenario, proof, samples));
  }
  return [...lines, ...missingPairs(window, proof), ...missingSubscribers(window, proof)];
}

function missingDocuments(window: number, scenario: string, proof: Proof, samples: SampleIndex): string[] {
  return (['pre', 'post'] as const).flatMap((phase) =>
    proof.plan.roster.flatMap(({ name: node }) => {
      const view = samples.view(window, scenario, node, phase);
      const place = `window ${window} ${scenario} ${phase}: ${node}`;
      if (view === undefined) return [`${place}: was not sampled`];
      const whys = DOCUMENT_NAMES.flatMap((name) => {
        const document = view.documents[name] ?? missing('absent', 'was not read');
        return isSeen(document)
          ? []
          : [{ name, why: `${document.missing}: ${shortWhy(name, node, document.why)}` }];
      });
      const [first] = whys;
      return first !== undefined && whys.length === DOCUMENT_NAMES.length
        ? [`${place}: no document; ${first.why}`]
        : whys.map(({ name, why }) => `${place} ${name}: ${why}`);
    }),
  );
}

function missingPairs(window: number, proof: Proof): string[] {
  const outcomes = matrixOutcomes(proof).filter((record) => record.window === window);
  return matrixScenarios(proof).flatMap((scenario) => {
    const measured = new Set(
      outcomes
        .filter((record) => record.scenario === scenario)
        .map(({ from, to }) => JSON.stringify([from, to])),
    );
    return proof.plan.pairs
      .filter((pair) => !measured.has(JSON.stringify(pair)))
      .map(([from, to]) => `window ${window} ${scenario}: ${from}→${to}: was not measured`);
  });
}

function missingSubscribers(window: number, proof: Proof): string[] {
  return recordsOf(proof, 'subscriber_missing')
    .filter((record) => record.window === window)
    .map(({ scenario, node, why }) => `window ${window} ${scenario}: subscriber ${node}: ${why}`);
}

/** Per node, documents that were missing in the same number of rounds together. */
function missingOnSchedule(samples: readonly SampleRecord[]): string[] {
  const byNode = Map.groupBy(
    samples.filter(({ phase }) => phase === 'schedule'),
    ({ node }) => node,
  );
  return [...byNode].flatMap(([node, rounds]) => {
    const holes = DOCUMENT_NAMES.flatMap((name) => {
      const whys = rounds.flatMap(({ documents: { [name]: document } }) =>
        document === undefined || isSeen(document) ? [] : [shortWhy(name, node, document.why)],
      );
      return whys.length === 0 ? [] : [{ name, count: whys.length, last: whys.at(-1) }];
    });
    return [...Map.groupBy(holes, ({ count }) => count)].map(([count, alike]) => {
      const names = alike.map(({ name }) => name).join(', ');
      const what = alike.length === DOCUMENT_NAMES.length ? 'every document' : names;
      return `schedule: ${node} ${what}: missing in ${count} of ${rounds.length} rounds, last: ${alike[0]?.last}`;
    });
  });
}
