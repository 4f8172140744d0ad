import type { Argv, CommandModule } from 'yargs';
import type { HostReport } from '../deploy/deploy-report.ts';
import { renderHosts } from '../deploy/print-report.ts';
import { rollBack } from '../deploy/roll-back.ts';
import { restartAll, stopAll } from '../deploy/services.ts';
import { renderStatus, statusDocument, statusOf } from '../deploy/status.ts';
import { EXIT } from '../run/exit-code.ts';
import type { Exit } from './exit.ts';
import { type OnFleet, onFleet, withInventory } from './on-fleet.ts';
import { print } from './print.ts';

/** `meshproof rollback`: the release from before, host after host. */
export function rollbackCommand(exit: Exit): CommandModule {
  return changing(exit, {
    command: 'rollback',
    describe: 'go back to the release from before, one host after the other, each verified',
    change: ({ sites, signal }) => rollBack(sites.chosen, sites.mesh, signal),
  });
}

/** `meshproof restart`: node and runner anew, host after host. */
export function restartCommand(exit: Exit): CommandModule {
  return changing(exit, {
    command: 'restart',
    describe: 'restart nodes and runners, one host after the other, each verified',
    change: ({ sites, signal }) => restartAll(sites.chosen, sites.mesh, signal),
  });
}

/** `meshproof stop`: nodes and runners end until they are started again. */
export function stopCommand(exit: Exit): CommandModule {
  return changing(exit, {
    command: 'stop',
    describe: 'stop nodes and runners on all hosts; "deploy" starts them again',
    change: ({ sites, signal }) => stopAll(sites.chosen, signal),
  });
}

/** `meshproof status`: every host as it is now. */
export function statusCommand(exit: Exit): CommandModule {
  return {
    command: 'status',
    describe: 'what every host runs and how it is; exit 0 when all is well, 5 when not',
    builder: (yargs: Argv) =>
      withInventory(yargs).option('json', { type: 'boolean', default: false, describe: 'print it as JSON' }),
    handler: async (argv) => {
      await onFleet(argv, async ({ sites, signal }) => {
        const statuses = await statusOf(sites.chosen, signal);
        const json = `${JSON.stringify(statusDocument(statuses), null, 2)}\n`;
        await print(argv.json === true ? json : renderStatus(statuses));
        exit(statuses.every(({ problems }) => problems.length === 0) ? EXIT.go : EXIT.fault);
      });
    },
  };
}

interface Changing {
  readonly command: string;
  readonly describe: string;
  readonly change: (fleet: OnFleet) => Promise<readonly HostReport[]>;
}

function changing(exit: Exit, { command, describe, change }: Changing): CommandModule {
  return {
    command,
    describe,
    builder: (yargs) => withInventory(yargs),
    handler: async (argv) => {
      await onFleet(argv, async (fleet) => {
        const reports = await change(fleet);
        await print(renderHosts(reports));
        exit(reports.every(({ problems }) => problems.length === 0) ? EXIT.go : EXIT.fault);
      });
    },
  };
}
