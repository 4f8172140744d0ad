import { styleText } from 'node:util';
import type { VerdictWord } from '../../proofs/evidence.ts';
import type { PlannedPair } from '../../proofs/plan-schema.ts';
import { shortDuration } from '../../proofs/reports/cells.ts';
import type { EventOf, ProgressEvent } from './progress.ts';

/** What the live view shows; a fold over the events, drawn afresh on each change. */
export interface Board {
  readonly run: EventOf<'run_started'>;
  readonly startedMs: number;
  readonly window: number;
  readonly scenario: string | null;
  /** Of each window that is over, in order. */
  readonly outcomes: readonly (VerdictWord | 'missed')[];
  /** Start of the first window, from which the grid counts. */
  readonly gridStartMs: number | null;
  readonly lastWindowMs: number | null;
  readonly delivered: ReadonlySet<string>;
  readonly burst: ReadonlyMap<string, EventOf<'burst_delivered'>>;
  readonly nextWindowAtMs: number | null;
  /** Faults in force, by id, in words. */
  readonly faults: ReadonlyMap<string, string>;
  readonly stopping: 'yes' | 'no';
  readonly rounds: number;
  readonly unreadable: number;
}

export function newBoard(run: EventOf<'run_started'>, nowMs: number): Board {
  return {
    run,
    startedMs: nowMs,
    window: 0,
    scenario: null,
    outcomes: [],
    gridStartMs: null,
    lastWindowMs: null,
    delivered: new Set(),
    burst: new Map(),
    nextWindowAtMs: null,
    faults: new Map(),
    stopping: 'no',
    rounds: 0,
    unreadable: 0,
  };
}

/** The board after `event`. */
export function advance(board: Board, event: ProgressEvent, nowMs: number): Board {
  switch (event.event) {
    case 'waiting':
      return { ...board, scenario: null, nextWindowAtMs: nowMs + event.wait_ms };
    case 'window_started':
      return {
        ...board,
        window: event.window,
        gridStartMs: board.gridStartMs ?? nowMs - event.late_ms,
        nextWindowAtMs: null,
        delivered: new Set(),
        burst: new Map(),
      };
    case 'window_missed':
      return { ...board, window: event.window, outcomes: [...board.outcomes, 'missed'] };
    case 'scenario_started':
      return { ...board, scenario: event.scenario };
    case 'pairs_delivered':
      return { ...board, delivered: new Set(event.pairs.map(keyOf)) };
    case 'burst_delivered':
      return { ...board, burst: new Map(board.burst).set(event.subscriber, event) };
    case 'window_judged':
      return {
        ...board,
        scenario: null,
        outcomes: [...board.outcomes, event.verdict],
        lastWindowMs: event.took_ms,
      };
    case 'fault_state':
      return { ...board, faults: faultsAfter(board.faults, event) };
    case 'stopped':
    case 'interrupted':
      return { ...board, stopping: 'yes' };
    case 'sampled':
      return { ...board, rounds: board.rounds + 1, unreadable: board.unreadable + event.unreadable.length };
    default:
      return board;
  }
}

/** A restart is over as soon as it is made; the others stand until nothing of them is left. */
function faultsAfter(
  faults: Board['faults'],
  { fault_id: id, kind, targets, state }: EventOf<'fault_state'>,
): Board['faults'] {
  const left = new Map(faults);
  if (state === 'gone' || kind === 'restart') left.delete(id);
  else left.set(id, `${kind} of ${targets.join(', ')} ${state.replaceAll('_', ' ')}`);
  return left;
}

/** Lines beside the matrix rows: two above, blanks, its head, the burst, a fault; one row is left to the cursor. */
const ROWS_AROUND = 9;

/** The board as lines for a terminal of that size. */
export function drawBoard(
  board: Board,
  nowMs: number,
  { columns, rows }: { readonly columns: number; readonly rows: number },
): string {
  const { nodes } = board.run;
  const cell = Math.max(4, Math.min(10, Math.max(...nodes.map((name) => name.length))));
  const fits = (nodes.length + 1) * (cell + 1) + 2 <= columns && nodes.length + ROWS_AROUND <= rows;
  return [
    `  ${statusLine(board, nowMs)}`,
    `  ${windowsLine(board, nowMs)}`,
    '',
    ...(fits ? matrixLines(board, cell) : []),
    ...countLines(board),
    ...faultLines(board),
    '',
  ].join('\n');
}

function statusLine(board: Board, nowMs: number): string {
  const { rounds, unreadable } = board;
  const missed = unreadable > 0 ? styleText('yellow', `, ${unreadable} unreadable`) : '';
  return `${styleText('bold', doing(board, nowMs))} · telemetry ${rounds} rounds${missed}`;
}

function doing({ run, stopping, scenario, window, nextWindowAtMs, outcomes }: Board, nowMs: number): string {
  if (stopping === 'yes') return 'stopping';
  if (scenario !== null) return `window ${window}/${run.windows} · ${scenario}`;
  if (nextWindowAtMs !== null) return `next window in ${shortDuration(Math.max(0, nextWindowAtMs - nowMs))}`;
  return outcomes.length >= run.windows ? 'judging' : 'getting ready';
}

const MARKS = {
  GO: ['green', '●'],
  INCONCLUSIVE: ['yellow', '◐'],
  'NO-GO': ['red', '●'],
  missed: ['yellow', '○'],
} as const;
const MARKS_SHOWN = 30;

function windowsLine(board: Board, nowMs: number): string {
  const { run, outcomes } = board;
  const marks = outcomes.slice(-MARKS_SHOWN).map((outcome) => {
    const [colour, mark] = MARKS[outcome];
    return styleText(colour, mark);
  });
  const open = Math.min(MARKS_SHOWN - marks.length, Math.max(0, run.windows - outcomes.length));
  const leftMs = timeLeftMs(board, nowMs);
  const eta = leftMs === null ? '' : ` · about ${shortDuration(leftMs)} left`;
  return `windows ${marks.join('')}${styleText('dim', '·'.repeat(open))} ${outcomes.length}/${run.windows} · ${shortDuration(nowMs - board.startedMs)}${eta}`;
}

/** Until the last window of the grid starts, and as long as the newest took; null before the first. */
function timeLeftMs({ run, gridStartMs, lastWindowMs, stopping }: Board, nowMs: number): number | null {
  if (gridStartMs === null || run.windows === 1 || stopping === 'yes') return null;
  const endMs = gridStartMs + (run.windows - 1) * run.interval_ms + (lastWindowMs ?? 0);
  return Math.max(0, endMs - nowMs);
}

function matrixLines({ run, delivered }: Board, cell: number): string[] {
  const name = (text: string) => text.slice(0, cell).padEnd(cell);
  const head = `  ${name('')} ${run.nodes.map(name).join(' ')}`;
  const rows = run.nodes.map((from) => {
    const cells = run.nodes.map((to) => {
      if (from === to) return styleText('dim', name('·'));
      return delivered.has(keyOf([from, to])) ? styleText('green', name('✓')) : name(' ');
    });
    return `  ${name(from)} ${cells.join(' ')}`;
  });
  return [head, ...rows, ''];
}

function countLines({ run, delivered, burst }: Board): string[] {
  const total = run.nodes.length * (run.nodes.length - 1);
  const all = [...burst.values()];
  const complete = all.filter((one) => one.delivered === one.planned);
  const short = all.filter((one) => one.delivered !== one.planned);
  const lacking = short.map(({ subscriber, delivered, planned }) => `${subscriber} ${delivered}/${planned}`);
  const burstText = [
    `burst ${complete.length}/${run.nodes.length} nodes`,
    ...(lacking.length === 0 ? [] : [styleText('yellow', lacking.join(', '))]),
  ].join(' · ');
  return [`  pairs ${delivered.size}/${total}${all.length === 0 ? '' : ` · ${burstText}`}`];
}

function faultLines({ faults }: Board): string[] {
  if (faults.size === 0) return [];
  return [`  ${styleText('yellow', `fault: ${[...faults.values()].join(' · ')}`)}`];
}

function keyOf([from, to]: PlannedPair): string {
  return `${from}→${to}`;
}
