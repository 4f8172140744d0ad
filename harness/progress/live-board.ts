import { styleText } from 'node:util';
import type { PlannedPair } from '../../proofs/plan-schema.ts';
import { span } from './describe-event.ts';
import type { EventOf, ProgressEvent } from './progress.ts';

/** What the live view shows; a fold over the events, drawn afresh on each change. */
export interface Board {
  readonly run: EventOf<'run_started'>;
  readonly startedMs: number;
  readonly window: number;
  readonly scenario: string | null;
  readonly verdicts: readonly EventOf<'window_judged'>[];
  readonly delivered: ReadonlySet<string>;
  readonly burst: ReadonlyMap<string, EventOf<'burst_delivered'>>;
  readonly nextWindowAtMs: number | null;
  readonly rounds: number;
  readonly unreadable: number;
}

export function newBoard(run: EventOf<'run_started'>, nowMs: number): Board {
  return {
    run,
    startedMs: nowMs,
    window: 0,
    scenario: null,
    verdicts: [],
    delivered: new Set(),
    burst: new Map(),
    nextWindowAtMs: null,
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
      return { ...board, window: event.window, nextWindowAtMs: null, delivered: new Set(), burst: new Map() };
    case 'scenario_started':
      return { ...board, scenario: event.scenario };
    case 'pairs_delivered':
      return { ...board, delivered: new Set(event.pairs.map(keyOf)) };
    case 'burst_delivered':
      return { ...board, burst: new Map(board.burst).set(event.subscriber, event) };
    case 'window_judged':
      return { ...board, scenario: null, verdicts: [...board.verdicts, event] };
    case 'sampled':
      return { ...board, rounds: board.rounds + 1, unreadable: board.unreadable + event.unreadable.length };
    default:
      return board;
  }
}

/** The board as lines of at most `width` columns. */
export function drawBoard(board: Board, nowMs: number, width: number): string {
  const { nodes } = board.run;
  const cell = Math.max(4, Math.min(10, ...[Math.max(...nodes.map((name) => name.length))]));
  const fits = (nodes.length + 1) * (cell + 1) <= width;
  return [
    ...[statusLine(board, nowMs), windowsLine(board)].map((line) => `  ${line}`),
    '',
    ...(fits
      ? matrixLines(board, cell)
      : [`  pairs ${board.delivered.size}/${nodes.length * (nodes.length - 1)}`]),
    ...burstLines(board),
    '',
  ].join('\n');
}

function statusLine(board: Board, nowMs: number): string {
  const { windows, interval_ms } = board.run;
  const elapsedMs = nowMs - board.startedMs;
  const doing =
    board.scenario !== null
      ? `window ${board.window}/${windows} · ${board.scenario}`
      : board.nextWindowAtMs !== null
        ? `next window in ${span(Math.max(0, board.nextWindowAtMs - nowMs))}`
        : 'getting ready';
  const leftMs = Math.max(
    0,
    (windows - board.verdicts.length) * interval_ms - (elapsedMs % Math.max(1, interval_ms)),
  );
  const eta = windows > 1 && board.window > 0 ? ` · about ${span(leftMs)} left` : '';
  const telemetry = `telemetry ${board.rounds} rounds${board.unreadable > 0 ? styleText('yellow', `, ${board.unreadable} unreadable`) : ''}`;
  return `${styleText('bold', doing)} · ${span(elapsedMs)}${eta} · ${telemetry}`;
}

const MARKS = { GO: ['green', '●'], INCONCLUSIVE: ['yellow', '◐'], 'NO-GO': ['red', '●'] } as const;

function windowsLine({ run, verdicts }: Board): string {
  const marks = verdicts.slice(-60).map(({ verdict }) => {
    const [colour, mark] = MARKS[verdict];
    return styleText(colour, mark);
  });
  const open = Math.min(60, Math.max(0, run.windows - verdicts.length));
  return `windows ${marks.join('')}${styleText('dim', '·'.repeat(open))} ${verdicts.length}/${run.windows}`;
}

function matrixLines({ run, delivered }: Board, cell: number): string[] {
  const name = (text: string) => text.slice(0, cell).padEnd(cell);
  const total = run.nodes.length * (run.nodes.length - 1);
  const head = `  ${name('')} ${run.nodes.map(name).join(' ')}  ${styleText('dim', `pairs ${delivered.size}/${total}`)}`;
  const rows = run.nodes.map((from) => {
    const cells = run.nodes.map((to) => {
      if (from === to) return styleText('dim', name('·'));
      return delivered.has(keyOf([from, to])) ? styleText('green', name('✓')) : name(' ');
    });
    return `  ${name(from)} ${cells.join(' ')}`;
  });
  return [head, ...rows];
}

function burstLines({ burst }: Board): string[] {
  if (burst.size === 0) return [];
  const nodes = [...burst.values()].map(({ subscriber, delivered, planned }) => {
    const text = `${subscriber} ${delivered}/${planned}`;
    return delivered === planned ? styleText('green', text) : styleText('yellow', text);
  });
  return [`  burst   ${nodes.join('  ')}`];
}

function keyOf([from, to]: PlannedPair): string {
  return `${from}→${to}`;
}
