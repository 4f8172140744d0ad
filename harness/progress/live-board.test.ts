import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { advance, drawBoard, newBoard } from './live-board.ts';
import type { EventOf } from './progress.ts';

const RUN: EventOf<'run_started'> = {
  event: 'run_started',
  run_id: 'r',
  proof_dir: 'p',
  nodes: ['nyc', 'sfo', 'sydney'],
  anchor: 'nyc',
  gate: 'broad-launch',
  scenarios: ['baseline'],
  windows: 3,
  interval_ms: 60_000,
  seed: 1,
};

function draw(board: ReturnType<typeof newBoard>, nowMs: number, columns = 80): string {
  return stripVTControlCharacters(drawBoard(board, nowMs, { columns, rows: 40 }));
}

describe('the live board', () => {
  it('shows the window, the pairs delivered and what is left', () => {
    let board = newBoard(RUN, 0);
    board = advance(board, { event: 'window_started', window: 1, late_ms: 0 }, 0);
    board = advance(board, { event: 'scenario_started', window: 1, scenario: 'baseline' }, 0);
    board = advance(board, { event: 'pairs_delivered', window: 1, pairs: [['nyc', 'sfo']] }, 0);
    const text = draw(board, 10_000);
    expect(text).toContain('window 1/3 · baseline');
    expect(text).toContain('pairs 1/6');
    expect(text).toContain('about 1 m 50 s left');
    expect(text.match(/✓/g)).toHaveLength(1);
  });

  it('counts windows judged and readings that failed', () => {
    let board = newBoard(RUN, 0);
    board = advance(board, { event: 'sampled', unreadable: ['sfo (all)'], took_ms: 5 }, 0);
    board = advance(
      board,
      { event: 'window_judged', window: 1, windows: 3, verdict: 'GO', reasons: [], took_ms: 5_000 },
      6_000,
    );
    expect(draw(board, 6_000)).toMatch(/windows ●·· 1\/3/);
    expect(draw(board, 6_000)).toContain('1 unreadable');
  });

  it('falls back to a count where the matrix does not fit, in width or in height', () => {
    expect(draw(newBoard(RUN, 0), 0, 12)).toContain('pairs 0/6');
    const low = stripVTControlCharacters(drawBoard(newBoard(RUN, 0), 0, { columns: 80, rows: 10 }));
    expect(low.split('\n').length).toBeLessThan(10);
    expect(low).toContain('pairs 0/6');
  });

  it('shows a missed window as over, and the time left by the grid and the newest window', () => {
    let board = newBoard(RUN, 0);
    board = advance(board, { event: 'window_started', window: 1, late_ms: 0 }, 10_000);
    const judged = {
      event: 'window_judged',
      window: 1,
      windows: 3,
      verdict: 'NO-GO',
      reasons: [],
      took_ms: 70_000,
    } as const;
    board = advance(board, judged, 80_000);
    board = advance(board, { event: 'window_missed', window: 2, why: 'late' }, 80_000);
    expect(draw(board, 100_000)).toMatch(/windows ●○· 2\/3 · 1 m 40 s · about 1 m 40 s left/);
  });

  it('says that it is stopping once it was asked to', () => {
    const board = advance(newBoard(RUN, 0), { event: 'interrupted', signal: 'SIGINT' }, 1);
    expect(draw(board, 1)).toMatch(/stopping/);
  });

  it('names only the subscribers that lack messages', () => {
    let board = newBoard(RUN, 0);
    for (const [subscriber, delivered] of [
      ['nyc', 5],
      ['sfo', 3],
      ['sydney', 5],
    ] as const) {
      board = advance(board, { event: 'burst_delivered', window: 1, subscriber, delivered, planned: 5 }, 1);
    }
    expect(draw(board, 1)).toContain('burst 2/3 nodes · sfo 3/5');
  });
});
