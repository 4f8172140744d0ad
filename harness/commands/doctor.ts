import { examine, type HostFindings, renderFindings } from '../faults/doctor.ts';
import { EXIT, type ExitCode } from '../run/exit-code.ts';
import type { Command, Exit } from './command.ts';
import { onFleet, withInventory } from './on-fleet.ts';
import { print } from './print.ts';

/** `meshproof doctor`: finds and heals what faults of any run or version left on hosts. */
export function doctorCommand(exit: Exit): Command {
  return {
    builder: (yargs) =>
      withInventory(yargs)
        .option('heal', { type: 'boolean', default: false, describe: 'remove it, and look again' })
        .option('json', { type: 'boolean', default: false, describe: 'print it as JSON' })
        .example(
          '$0 doctor --inventory fleet.toml',
          'exit 0 clean, 6 when something stands, 5 when a host is not seen',
        ),
    handler: async (argv) => {
      await onFleet(argv, async ({ sites, signal }) => {
        const purpose = argv.heal === true ? 'heal' : 'list';
        const findings = await examine(
          sites.chosen.map(({ host }) => host),
          purpose,
          signal,
        );
        const json = `${JSON.stringify(findings, null, 2)}\n`;
        await print(argv.json === true ? json : renderFindings(findings));
        exit(exitCodeOf(findings));
      });
    },
  };
}

/** Something that stands outweighs a host that could not be seen. */
function exitCodeOf(findings: readonly Pick<HostFindings, 'state'>[]): ExitCode {
  if (findings.some(({ state }) => state === 'standing')) return EXIT.dirty;
  return findings.some(({ state }) => state === 'unknown') ? EXIT.fault : EXIT.go;
}
