import { followLogs, readLogs } from '../deploy/journal.ts';
import { problemOf } from '../deploy/problem.ts';
import { EXIT } from '../run/exit-code.ts';
import { InterruptError } from '../run/interrupt-error.ts';
import type { Command, Exit } from './command.ts';
import { wholeNumber } from './flag-value.ts';
import { onFleet, withInventory } from './on-fleet.ts';
import { print } from './print.ts';

/** `meshproof logs`: what deployed nodes and runners said, from the hosts' journals. */
export function logsCommand(exit: Exit): Command {
  return {
    builder: (yargs) =>
      withInventory(yargs)
        .option('follow', { type: 'boolean', default: false, describe: 'go on until interrupted' })
        .option('lines', {
          type: 'number',
          default: 50,
          requiresArg: true,
          describe: 'how many of the latest lines of each host',
        })
        .example('$0 logs --inventory fleet.toml --host lab1 --follow', 'one host as it goes'),
    handler: async (argv) => {
      const lines = wholeNumber('--lines', argv.lines, 0, 100_000);
      await onFleet(argv, async ({ sites, signal }) => {
        await Promise.all(
          sites.chosen.map(async ({ host, name }) => {
            try {
              const read =
                argv.follow === true ? followLogs(host, lines, signal) : readLogs(host, lines, signal);
              for await (const line of read) await print(`${name}  ${line}\n`);
            } catch (error) {
              if (argv.follow === true && signal.reason instanceof InterruptError) return; // the way to end it
              signal.throwIfAborted();
              const { code, message } = problemOf(name, error);
              process.stderr.write(`${message} [${code}]\n`);
              exit(EXIT.fault);
            }
          }),
        );
      });
    },
  };
}
