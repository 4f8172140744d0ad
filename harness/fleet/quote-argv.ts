/** What no POSIX shell reads anything into. */
const PLAIN = /^[A-Za-z0-9_@%+:,./-]+$/;

/**
 * One command line that a POSIX shell splits into exactly `argv` again. sshd hands every command to the user's login
 * shell, so this is the only place where quoting happens. A NUL cannot be passed at all.
 */
export function quoteArgv(argv: readonly string[]): string {
  return argv.map(quote).join(' ');
}

function quote(argument: string): string {
  if (argument.includes('\0')) throw new RangeError('an argument of a command cannot hold a NUL');
  return PLAIN.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}
