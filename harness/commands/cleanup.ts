import { UsageError } from '../../kit/errors.ts';
import { remainderOf, removeDeployment } from '../deploy/clean-up.ts';
import { lockHost } from '../deploy/deploy-lock.ts';
import { problemOf } from '../deploy/problem.ts';
import type { Site } from '../deploy/site.ts';
import { terminalHere } from '../fleet/terminal.ts';
import { EXIT } from '../run/exit-code.ts';
import type { Command, Exit } from './command.ts';
import { onFleet, withInventory } from './on-fleet.ts';
import { print } from './print.ts';

/** `meshproof cleanup`: removes everything that deployments installed, keys included, and proves it. */
export function cleanupCommand(exit: Exit): Command {
  return {
    builder: (yargs) =>
      withInventory(yargs)
        .option('yes', { type: 'boolean', default: false, describe: 'do not ask' })
        .example('$0 cleanup --inventory fleet.toml --yes', 'the hosts as they were before the first deploy'),
    handler: async (argv) => {
      await onFleet(argv, async ({ sites, signal }) => {
        if (argv.yes !== true) await confirm(sites.chosen, signal);
        const left = await Promise.all(sites.chosen.map((site) => cleanOne(site, signal)));
        await print(left.map(({ text }) => text).join(''));
        exit(left.every(({ isClean }) => isClean) ? EXIT.go : EXIT.fault);
      });
    },
  };
}

async function confirm(sites: readonly Site[], signal: AbortSignal): Promise<void> {
  const terminal = terminalHere();
  if (terminal === null)
    throw new UsageError('CONFIRMATION_NEEDED', 'cleanup asks on a terminal; without one, pass --yes');
  const names = sites.map(({ name }) => name).join(', ');
  const question = `Remove node, runner and the nodes' keys from ${names}? [y/N] `;
  if (!/^y(es)?$/i.test(await terminal.ask(question, signal)))
    throw new UsageError('NOT_CONFIRMED', 'nothing was removed: the answer was not "y"');
}

async function cleanOne(
  { name, host }: Site,
  signal: AbortSignal,
): Promise<{ readonly isClean: boolean; readonly text: string }> {
  try {
    await using _lock = await lockHost(host, signal);
    await removeDeployment(host, signal);
    const left = await remainderOf(host, signal);
    if (left.length === 0) return { isClean: true, text: `${name}  clean: nothing of meshproof was found\n` };
    return { isClean: false, text: `${name}  NOT clean\n${left.map((line) => `  ${line}\n`).join('')}` };
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = problemOf(name, error);
    return { isClean: false, text: `${name}  not cleaned\n  ${code}  ${message}\n` };
  }
}
