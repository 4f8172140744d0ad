import yargs from 'yargs';
import { causesOf, codeOf, messageOf, UsageError } from '../kit/errors.ts';
import { withCommands } from './commands/catalogue.ts';
import { EXIT, type ExitCode, exitCodeOfError } from './run/exit-code.ts';
import { VERSION } from './version.ts';

const EPILOGUE = `Exit codes: 0 GO, 1 NO-GO, 2 INCONCLUSIVE, 3 stopped by a stop condition, 4 interrupted, 5 harness or transport fault, 6 dirty, 64 usage, 70 internal.`;

/** Parses `args`, carries the command out, and sets the exit code of the process. */
export async function main(args: readonly string[]): Promise<void> {
  let exitCode: number = EXIT.go;
  const exit = (code: number) => {
    exitCode = code;
  };
  const cli = withCommands(yargs([...args]), exit)
    .scriptName('meshproof')
    .usage('$0 <command>\n\nIs this mesh ready to launch? Runs it, watches it, and leaves proof.')
    .option('debug', { type: 'boolean', default: false, describe: 'print the chain of causes of an error' })
    .demandCommand(1, 'say what to do; --help lists the commands')
    .strict()
    .parserConfiguration({ 'duplicate-arguments-array': false, 'strip-dashed': false })
    // Whatever is asked for, yargs also composes the help of it; wrapping that costs a quarter of a command's start.
    .wrap(args.includes('--help') ? Math.min(110, process.stdout.columns ?? 100) : null)
    .epilogue(EPILOGUE)
    .version(VERSION)
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? badUsage(message);
    });
  survivesClosedOutput();
  try {
    await cli.parseAsync();
  } catch (thrown) {
    const error = isOfYargs(thrown) ? badUsage(thrown.message) : thrown;
    const code = exitCodeOfError(error);
    exitCode = code;
    tellError(error, code, args.includes('--debug') ? 'debug' : 'short');
  }
  process.exitCode = exitCode;
}

/** yargs throws what it finds wrong with the arguments as an error of its own; anything else comes from a command. */
function isOfYargs(thrown: unknown): thrown is Error {
  return thrown instanceof Error && thrown.name === 'YError';
}

function badUsage(message: string): UsageError {
  return new UsageError('BAD_USAGE', message.replaceAll(/\s+/g, ' ').trim());
}

/** Who stops reading (`| head`, a closed terminal) misses the rest; a run goes on to its verdict regardless. */
function survivesClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
}

function tellError(error: unknown, exitCode: ExitCode, form: 'debug' | 'short'): void {
  process.stderr.write(`meshproof: ${messageOf(error).replaceAll(/\s*\n\s*/g, ' ')} [${codeOf(error)}]\n`);
  if (form === 'debug') {
    for (const line of causesOf(error).slice(1)) process.stderr.write(`  because ${line}\n`);
    if (error instanceof Error && error.stack) process.stderr.write(`${error.stack}\n`);
  } else if (exitCode === EXIT.internal) {
    process.stderr.write('this is a defect of meshproof; --debug shows where\n');
  }
}
