import { spawn } from 'node:child_process';
import { codeOf, FaultError, messageOf } from '../../kit/errors.ts';

const COMMAND_BUDGET_MS = 10_000;
const OUTPUT_BYTES_MAX = 8 * 1024 * 1024; // a ruleset of some ten thousand rules in JSON

/** A finished command. `code` is null when a signal ended it. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly budgetMs?: number;
}

/**
 * Runs a program of the host by its arguments, never through a shell.
 * @throws FaultError `COMMAND_MISSING`, `COMMAND_TIMED_OUT`, `COMMAND_OUTPUT_TOO_LARGE`
 */
export type RunCommand = (argv: readonly [string, ...string[]], options?: RunOptions) => Promise<Finished>;

/** Debian packages of the programs that may be missing. */
const PACKAGES: Readonly<Record<string, string>> = {
  nft: 'nftables',
  tc: 'iproute2',
  ip: 'iproute2',
  flock: 'util-linux',
  unshare: 'util-linux',
  systemctl: 'systemd',
  'systemd-run': 'systemd',
  'systemd-notify': 'systemd',
};

/** The environment of every command: plain messages, and the directories of root even where `PATH` lacks them. */
export function commandEnv(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C', PATH: `${process.env.PATH ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin` };
}

export const runCommand: RunCommand = ([program, ...args], { input = '', env = {}, budgetMs } = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...commandEnv(), ...env }, stdio: 'pipe' });
    const what = [program, ...args].join(' ');
    const fail = (code: string, message: string, cause?: unknown) => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new FaultError(code, message, { details: { command: what }, cause }));
    };
    const budget = budgetMs ?? COMMAND_BUDGET_MS;
    const timer = setTimeout(
      () => fail('COMMAND_TIMED_OUT', `${what} did not end within ${budget} ms`),
      budget,
    );
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let bytes = 0;
    const collect = (into: Buffer[]) => (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= OUTPUT_BYTES_MAX) into.push(chunk);
      else fail('COMMAND_OUTPUT_TOO_LARGE', `${what} wrote more than ${OUTPUT_BYTES_MAX} bytes`);
    };
    child.stdout.on('data', collect(stdout));
    child.stderr.on('data', collect(stderr));
    child.stdin.on('error', () => {}); // it ended without reading; its exit code says why
    child.on('error', (cause) => {
      if (codeOf(cause) === 'ENOENT') fail('COMMAND_MISSING', describeMissing(program), cause);
      else fail('COMMAND_FAILED', `cannot run ${what}: ${messageOf(cause)}`, cause);
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({
        code,
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
      });
    });
    child.stdin.end(input);
  });

/** Runs a command that must succeed, and gives what it wrote. @throws FaultError `COMMAND_FAILED` as well */
export async function succeed(
  run: RunCommand,
  argv: readonly [string, ...string[]],
  options?: RunOptions,
): Promise<string> {
  const finished = await run(argv, options);
  if (finished.code === 0) return finished.stdout;
  throw new FaultError('COMMAND_FAILED', `${argv.join(' ')}: ${firstLine(finished)}`, {
    details: { command: argv.join(' '), exit_code: finished.code, stderr: finished.stderr.slice(0, 2_000) },
  });
}

/** What a command complained of, in one line. */
export function firstLine({ code, stderr }: Finished): string {
  return stderr.trim().split('\n')[0] || `exit code ${code}`;
}

function describeMissing(program: string): string {
  const from = PACKAGES[program];
  return from === undefined ? `${program} is not installed` : `${program} is not installed (package ${from})`;
}
