import type { Argv } from 'yargs';
import type { HostReport } from '../deploy/deploy-report.ts';
import { renderHosts } from '../deploy/print-report.ts';
import { rollBack } from '../deploy/roll-back.ts';
import { restartAll, stopAll } from '../deploy/services.ts';
import { renderStatus, statusDocument, statusOf } from '../deploy/status.ts';
import { EXIT } from '../run/exit-code.ts';
import type { Command, Exit } from './command.ts';
import { type OnFleet, onFleet, tellInterrupt, withInventory } from './on-fleet.ts';
import { print } from './print.ts';

/** `meshproof rollback`: the release from before, host after host. */
export function rollbackCommand(exit: Exit): Command {
  return changing(exit, ({ sites, ...interrupts }) => rollBack(sites.chosen, sites.mesh, interrupts));
}

/** `meshproof restart`: node and runner anew, host after host. */
export function restartCommand(exit: Exit): Command {
  return changing(exit, ({ sites, ...interrupts }) => restartAll(sites.chosen, sites.mesh, interrupts));
}

/** `meshproof stop`: nodes and runners end until they are started again. */
export function stopCommand(exit: Exit): Command {
  return changing(exit, ({ sites, abandon }) => stopAll(sites.chosen, abandon));
}

/** `meshproof status`: every host as it is now. */
export function statusCommand(exit: Exit): Command {
  return {
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

function changing(exit: Exit, change: (fleet: OnFleet) => Promise<readonly HostReport[]>): Command {
  return {
    builder: (yargs) => withInventory(yargs),
    handler: async (argv) => {
      await onFleet(argv, async (fleet) => {
        tellInterrupt(fleet);
        const reports = await change(fleet);
        await print(renderHosts(reports));
        fleet.signal.throwIfAborted();
        exit(reports.every(({ problems }) => problems.length === 0) ? EXIT.go : EXIT.fault);
      });
    },
  };
}
