/** What sudo says, in the C locale, when it refuses; everything else comes from the command itself. */
const REFUSALS = [
  /a password is required/,
  /a terminal is required/,
  /must have a tty/,
  /is not in the sudoers file/,
  /is not allowed to (?:run sudo|execute)/,
  /no valid sudoers/,
  /"no new privileges" flag/,
  /effective uid is not 0/,
  /sudo.*: (?:command not found|No such file or directory|not found)/,
];
const REFUSED_CODES = [1, 126, 127];

/** `argv` as root, without ever asking for a password. */
export function asRoot(argv: readonly string[]): readonly string[] {
  return ['env', 'LC_ALL=C', 'sudo', '-n', '--', ...argv];
}

/** Why sudo did not run the command; null when it did, whatever became of that. */
export function sudoProblem(code: number, stderr: string): string | null {
  if (!REFUSED_CODES.includes(code)) return null;
  const line = stderr.split('\n').find((said) => REFUSALS.some((refusal) => refusal.test(said)));
  return line?.trim() ?? null;
}
