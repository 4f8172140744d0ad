import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { inject } from 'vitest';

const BUDGET_MS = 60_000;
const OUTPUT_MAX_BYTES = 64 * 1024 * 1024;

export interface Ended {
  /** -1 when it did not end by itself. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMs: number;
}

/** Runs a `meshproof` command to its end, which is a kill after `budgetMs` at the latest. */
export function timed(budgetMs: number, ...args: readonly string[]): Promise<Ended> {
  const startMs = performance.now();
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [inject('meshproof'), ...args],
      { timeout: budgetMs, maxBuffer: OUTPUT_MAX_BYTES },
      (error, stdout, stderr) => {
        const code = typeof error?.code === 'number' ? error.code : error ? -1 : 0;
        resolve({ code, stdout, stderr, tookMs: performance.now() - startMs });
      },
    );
  });
}

/** As `timed`, for a command that is soon over. */
export function meshproof(...args: readonly string[]): Promise<Ended> {
  return timed(BUDGET_MS, ...args);
}

/** Starts a command in a process group of its own, whose id is `pid`; `said` grows with what it prints. */
export function startMeshproof(...args: readonly string[]) {
  const startMs = performance.now();
  const child = spawn(process.execPath, [inject('meshproof'), ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  const ended = once(child, 'close').then(
    ([code]): Ended => ({ code: code ?? -1, ...said, tookMs: performance.now() - startMs }),
  );
  return { pid: child.pid ?? Number.NaN, said, ended };
}
