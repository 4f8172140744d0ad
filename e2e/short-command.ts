import { execFile } from 'node:child_process';

const BUDGET_MS = 60_000;

/** Runs a `meshproof` command to its end; `code` is -1 when it did not end by itself. */
export function meshproof(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['bin/meshproof.mjs', ...args],
      { timeout: BUDGET_MS },
      (error, stdout, stderr) => {
        const code = typeof error?.code === 'number' ? error.code : error ? -1 : 0;
        resolve({ code, stdout, stderr });
      },
    );
  });
}
