import { DOCUMENT_NAMES, type RecordOf } from '../proofs/evidence.ts';
import { isSeen, missing } from '../proofs/observation.ts';
import { endedWell } from '../proofs/process-exit.ts';
import { count, type Reading, reading, unread } from './amounts.ts';
import { type EvidenceIndex, sampleOrWhy } from './evidence-index.ts';
import { type Cell, type Metric, spansOf } from './metric.ts';
import { nodeMetric } from './node-metric.ts';

/** A metric with one cell per name, over the whole run; a defect is shown in the window where it was seen. */
function soakMetric(
  name: string,
  judged: (
    index: EvidenceIndex,
    node: string,
  ) => { readonly reading: Reading; readonly window: number | null },
  subjects: (index: EvidenceIndex) => readonly string[],
): Metric {
  return {
    name,
    measure: 'count',
    scopes: ['soak'],
    documents: [],
    scenarios: 'any',
    cells: (index) =>
      subjects(index).map((node): Cell => {
        const { reading: found, window } = judged(index, node);
        return { subject: node, window, scenario: null, nodes: [node], readings: [found] };
      }),
  };
}

function undeclaredRestarts(index: EvidenceIndex, node: string) {
  const undeclared = index.restarts(node).filter((restart) => !restart.declared);
  const first = undeclared[0];
  if (first !== undefined) {
    const where = first.window === null ? 'outside windows' : `seen in window ${first.window}`;
    const note = `${node} restarted ${undeclared.length} times undeclared, first ${where} (${first.why})`;
    return { reading: reading(count(undeclared.length), note), window: first.window };
  }
  const decide = `a run in which ${node} is followed throughout would decide it`;
  if (!index.of('node_identified').some((record) => record.node === node)) {
    const why = `${node}: never identified before the first window; ${decide}`;
    return { reading: unread(missing('absent', why)), window: null };
  }
  for (const { window, scenario } of spansOf(index, index.scenarios)) {
    for (const phase of ['pre', 'post'] as const) {
      const sample = sampleOrWhy(index, node, window, scenario, phase);
      if (!isSeen(sample)) return { reading: unread(sample), window };
      if (!Object.values(sample.seen.documents).some((document) => document && isSeen(document))) {
        const why = `${node}: no document of window ${window} ${scenario} ${phase} shows its epoch; ${decide}`;
        return { reading: unread(missing('unreadable', why)), window };
      }
    }
  }
  return { reading: reading(count(0)), window: null };
}

/** Window that was open when `exit` was written: the journal's order tells. */
function windowOf(index: EvidenceIndex, exit: RecordOf<'process_exited'>): number | null {
  let open: number | null = null;
  for (const record of index.evidence.records) {
    if (record === exit) return open;
    if (record.type === 'window_started') open = record.window;
    if (record.type === 'window_finished' && record.window === open) open = null;
  }
  return null;
}

/** A process that a fault held down may have to be killed: that end is the fault's, not the node's. */
function isByFault(index: EvidenceIndex, exit: RecordOf<'process_exited'>): boolean {
  return exit.expected && exit.signal === 'SIGKILL' && index.faults.isHeldDown(exit.node, exit);
}

/** It ended when it was meant to; what it ended with could not be read, for the way to its machine was lost. */
function isUntold(
  index: EvidenceIndex,
  { node, expected, code, signal }: RecordOf<'process_exited'>,
): boolean {
  const isTold = code !== null || signal !== null;
  return expected && !isTold && index.of('control_lost').some((loss) => loss.node === node);
}

function unexpectedExits(index: EvidenceIndex, node: string) {
  const exits = index
    .of('process_exited')
    .filter((exit) => exit.node === node && !endedWell(exit) && !isByFault(index, exit));
  const notes = exits.map(({ role, code, signal, expected, last_words: words }) => {
    const how = signal === null ? `code ${code}` : `signal ${signal}`;
    const last = words.at(-1);
    const what = expected ? 'ended badly when it was stopped' : 'ended unexpectedly';
    return `${role} of ${node} ${what} (${how}${last === undefined ? '' : `, last words: ${last}`})`;
  });
  const note = notes.length > 0 ? notes.join('; ') : null;
  const [first] = exits;
  const window = first === undefined ? null : windowOf(index, first);
  if (exits.length > 0 && exits.every((exit) => isUntold(index, exit))) {
    const why = `${note}, and the way to ${node} was lost; its journal would decide it`;
    return { reading: unread(missing('unreadable', why)), window };
  }
  return { reading: reading(count(exits.length), note), window };
}

/** Names of the roster and of every process that ended: an exit of a stranger is not overlooked. */
function mayExit(index: EvidenceIndex): readonly string[] {
  return [...new Set([...index.nodes, ...index.of('process_exited').map((exit) => exit.node)])];
}

/** Seconds from a declared restart to a node that serves again; the slowest counts, never is infinity. */
const restartRecovery: Metric = {
  name: 'fleet.restart_recovery_secs',
  measure: 'worst',
  scopes: ['fleet'],
  documents: [],
  scenarios: 'named',
  cells: (index, { scenarios }) =>
    spansOf(index, scenarios).map(({ window, scenario }) => {
      const here = (record: { readonly window: number; readonly scenario: string }) =>
        record.window === window && record.scenario === scenario;
      const nodes = [
        ...new Set(
          index
            .of('restart_declared')
            .filter(here)
            .map((record) => record.node),
        ),
      ];
      const decide = `a timed recovery in window ${window} ${scenario} would decide it`;
      const none = unread(missing('absent', `${scenario} restarted no node in window ${window}; ${decide}`));
      const readings = nodes.flatMap((node): Reading[] => {
        const isRestarted = index
          .restarts(node)
          .some((restart) => restart.declared && restart.window === window);
        const isSilent = index.sample(node, window, scenario, 'post')?.epoch === null;
        const timed = index.of('node_recovered').filter((record) => here(record) && record.node === node);
        // A node that has not answered since was not seen to restart: it just never came back.
        const isLost = isSilent && timed.some(({ after_ms: afterMs }) => afterMs === null);
        if (!isRestarted && !isLost) {
          return [
            unread(missing('absent', `${node}: its declared restart was never seen to happen; ${decide}`)),
          ];
        }
        const lost = index.ways.whyLost(index.nodes, { window, scenario });
        if (lost !== null)
          return [unread(missing('unreadable', `${node}: its recovery: ${lost}; ${decide}`))];
        if (timed.length === 0) return [unread(missing('absent', `${node}: recovery not timed; ${decide}`))];
        return timed.map(({ after_ms: afterMs }) =>
          afterMs === null
            ? reading({ kind: 'worst', value: 'infinity' }, `${node}: never recovered`)
            : reading(
                { kind: 'worst', value: afterMs / 1_000 },
                `${node}: recovered after ${afterMs / 1_000} s`,
              ),
        );
      });
      return {
        subject: 'fleet',
        window,
        scenario,
        nodes,
        readings: readings.length > 0 ? readings : [none],
      };
    }),
};

/**
 * What is known of the run itself. `telemetry.missing_documents` is 0 when every document around every scenario was
 * seen; otherwise the objective's required documents say what is missing, since a gap is never a figure.
 */
export const runMetrics: readonly Metric[] = [
  soakMetric('fleet.undeclared_restarts', undeclaredRestarts, (index) => index.nodes),
  soakMetric('fleet.unexpected_exits', unexpectedExits, mayExit),
  restartRecovery,
  nodeMetric({
    name: 'telemetry.missing_documents',
    measure: 'count',
    scopes: ['node'],
    documents: DOCUMENT_NAMES,
    read: () => reading(count(0)),
  }),
];
