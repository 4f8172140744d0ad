import type { Argv } from 'yargs';
import type { Command, Exit } from './command.ts';

/** Every command, in the order of help. Each is read only when it is the one that was asked for. */
const COMMANDS = [
  lazily('run', 'run the scenarios once and judge them', async () => (await import('./run.ts')).runCommand),
  lazily(
    'soak',
    'repeat the scenarios in windows on a fixed grid and judge each window and the whole',
    async () => (await import('./soak.ts')).soakCommand,
  ),
  lazily(
    'gate',
    'judge a proof again, or list the gates',
    async () => (await import('./gate.ts')).gateCommand,
  ),
  lazily('proof', 'look at the evidence of a run', async () => (await import('./proof.ts')).proofCommand),
  lazily(
    'fleet',
    'the inventory of hosts: write it, trust host keys, look before a run',
    async () => (await import('./fleet.ts')).fleetCommand,
  ),
  lazily(
    'lab',
    'a lab of systemd machines on this one, reached by SSH (root)',
    async () => (await import('./lab.ts')).labCommand,
  ),
  lazily(
    'deploy',
    'install, upgrade and verify node and runner on the hosts of an inventory',
    async () => (await import('./deploy.ts')).deployCommand,
  ),
  lazily(
    'doctor',
    'what faults of any run left on the hosts; --heal removes exactly that',
    async () => (await import('./doctor.ts')).doctorCommand,
  ),
  lazily(
    'status',
    'what every host runs and how it is; exit 0 when all is well, 5 when not',
    async () => (await import('./services.ts')).statusCommand,
  ),
  lazily(
    'logs',
    'what nodes and runners said, from the journals of the hosts',
    async () => (await import('./logs.ts')).logsCommand,
  ),
  lazily(
    'restart',
    'restart nodes and runners, one host after the other, each verified',
    async () => (await import('./services.ts')).restartCommand,
  ),
  lazily(
    'stop',
    'stop nodes and runners on all hosts; "deploy" starts them again',
    async () => (await import('./services.ts')).stopCommand,
  ),
  lazily(
    'rollback',
    'go back to the release from before, one host after the other, each verified',
    async () => (await import('./services.ts')).rollbackCommand,
  ),
  lazily(
    'cleanup',
    'remove everything that "deploy" installed, the keys of the nodes too, and prove it',
    async () => (await import('./cleanup.ts')).cleanupCommand,
  ),
];

/** `cli` with every command. */
export function withCommands(cli: Argv, exit: Exit): Argv {
  return COMMANDS.reduce((sofar, add) => add(sofar, exit), cli);
}

function lazily<T>(command: string, describe: string, load: () => Promise<(exit: Exit) => Command<T>>) {
  return (cli: Argv, exit: Exit): Argv =>
    cli.command<T>({
      command,
      describe,
      builder: async (yargs) => await (await load())(exit).builder(yargs),
      handler: async (argv) => await (await load())(exit).handler(argv),
    });
}
