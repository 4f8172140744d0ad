import type { CommandModule } from 'yargs';
import { UsageError } from '../../kit/errors.ts';
import { carryOut } from './carry-out.ts';
import type { Exit } from './exit.ts';
import { positive, type RunArguments, runOptionsOf, withRunFlags } from './run-flags.ts';

type SoakArguments = RunArguments & { readonly 'duration-hours': number; readonly 'interval-mins': number };

/** `meshproof soak`: the scenarios in windows on a fixed grid, judged per window and as a whole. */
export function soakCommand(exit: Exit): CommandModule<object, SoakArguments> {
  return {
    command: 'soak',
    describe: 'repeat the scenarios in windows on a fixed grid and judge each window and the whole',
    builder: (yargs) =>
      withRunFlags(yargs)
        .options({
          'duration-hours': {
            type: 'number',
            default: 12,
            group: 'Soak',
            describe: 'length of the soak; fractions allowed',
          },
          'interval-mins': {
            type: 'number',
            default: 30,
            group: 'Soak',
            describe: 'time from the start of one window to the next; fractions allowed',
          },
        })
        .example('$0 soak --local 6 --duration-hours 0.5 --interval-mins 5', 'six windows in half an hour')
        .example('$0 soak --local 6 --gate broad-launch', 'the launch gate over 12 hours'),
    handler: async (flags) => {
      const durationMs = positive('--duration-hours', flags['duration-hours']) * 3_600_000;
      const intervalMs = positive('--interval-mins', flags['interval-mins']) * 60_000;
      if (intervalMs > durationMs) {
        throw new UsageError(
          'BAD_FLAG',
          `--interval-mins: ${flags['interval-mins']} min is longer than the whole soak of ${flags['duration-hours']} h`,
        );
      }
      const options = runOptionsOf(flags, process.argv.slice(2));
      exit(await carryOut({ ...options, soak: { durationMs, intervalMs } }, flags));
    },
  };
}
