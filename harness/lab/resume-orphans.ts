import { spawnSync } from 'node:child_process';

const SETPRIV = ['setpriv', '--pdeathsig', 'CONT'] as const;

let isThere: boolean | undefined;

/**
 * The command line by which the kernel lets the program go on (SIGCONT) when this process dies, in case it is paused then:
 * once it goes on it notices by its lifeline that its parent is gone, and ends in order. It runs in the same process id.
 * As it was where there is no `setpriv` that can do so (it is part of util-linux).
 */
export function resumedWhenOrphaned(
  program: string,
  args: readonly string[],
): readonly [string, ...string[]] {
  isThere ??=
    process.platform === 'linux' && spawnSync(SETPRIV[0], [...SETPRIV.slice(1), 'true']).status === 0;
  return isThere ? [...SETPRIV, program, ...args] : [program, ...args];
}
