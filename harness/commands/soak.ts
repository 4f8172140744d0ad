import { UsageError } from '../../kit/errors.ts';
import { gridOf } from '../run/window-grid.ts';
import { carryOut } from './carry-out.ts';
import type { Command, Exit } from './command.ts';
import { number } from './flag-value.ts';
import { inventoryOfRun } from './mesh-of-run.ts';
import { type RunArguments, runOptionsOf, withRunFlags } from './run-flags.ts';

const HOURS_MAX = 10_000; // more than a year
const MINUTES_MAX = 10_080; // a week
const WINDOWS_MAX = 10_000;

type SoakArguments = RunArguments & { readonly 'duration-hours': unknown; readonly 'interval-mins': unknown };

/** `meshproof soak`: the scenarios in windows on a fixed grid, judged per window and as a whole. */
export function soakCommand(exit: Exit): Command<SoakArguments> {
  return {
    builder: (yargs) =>
      withRunFlags(yargs)
        .options({
          'duration-hours': {
            requiresArg: true,
            default: 12,
            group: 'Soak',
            describe: 'length of the soak; fractions allowed',
          },
          'interval-mins': {
            requiresArg: true,
            default: 30,
            group: 'Soak',
            describe: 'time from the start of one window to the next; fractions allowed',
          },
        })
        .example('$0 soak --local 6 --duration-hours 0.5 --interval-mins 5', 'six windows in half an hour')
        .example('$0 soak --local 6 --gate broad-launch', 'the launch gate over 12 hours'),
    handler: async (flags) => {
      const soak = soakOf(flags);
      const inventory = await inventoryOfRun(flags);
      const options = runOptionsOf(flags, process.argv.slice(2), inventory);
      exit(await carryOut({ ...options, soak }, flags, inventory));
    },
  };
}

function soakOf(flags: SoakArguments): { readonly durationMs: number; readonly intervalMs: number } {
  const durationMs = number('--duration-hours', flags['duration-hours'], 0.0001, HOURS_MAX) * 3_600_000;
  const intervalMs = number('--interval-mins', flags['interval-mins'], 0.0001, MINUTES_MAX) * 60_000;
  if (intervalMs > durationMs) {
    throw new UsageError(
      'BAD_FLAG',
      `--interval-mins: ${flags['interval-mins']} min is longer than the whole soak of ${flags['duration-hours']} h`,
    );
  }
  const { count: windows } = gridOf({ durationMs, intervalMs });
  if (windows > WINDOWS_MAX) {
    throw new UsageError(
      'BAD_FLAG',
      `--interval-mins: ${flags['interval-mins']} min makes ${windows} windows, more than ${WINDOWS_MAX}`,
    );
  }
  return { durationMs, intervalMs };
}
