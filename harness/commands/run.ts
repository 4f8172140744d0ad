import { carryOut } from './carry-out.ts';
import type { Command, Exit } from './command.ts';
import { inventoryOfRun } from './mesh-of-run.ts';
import { type RunArguments, runOptionsOf, withRunFlags } from './run-flags.ts';

/** `meshproof run`: every scenario once, judged by the gate. */
export function runCommand(exit: Exit): Command<RunArguments> {
  return {
    builder: (yargs) =>
      withRunFlags(yargs)
        .example('$0 run --local 6 --scenarios baseline', 'all 30 directed pairs on a mesh of six')
        .example('$0 run --local 3 --gate broad-launch --json', 'the strict gate, progress for a program'),
    handler: async (flags) => {
      const inventory = await inventoryOfRun(flags);
      const options = runOptionsOf(flags, process.argv.slice(2), inventory);
      exit(await carryOut({ ...options, soak: null }, flags, inventory));
    },
  };
}
