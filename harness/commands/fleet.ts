import { readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import type { CommandModule } from 'yargs';
import { codeOf, messageOf, UsageError } from '../../kit/errors.ts';
import { importInventory } from '../fleet/import-inventory.ts';
import { pickHosts, readInventory } from '../fleet/inventory.ts';
import { fingerprintSchema } from '../fleet/inventory-schema.ts';
import { INVENTORY_TEMPLATE } from '../fleet/inventory-template.ts';
import { KnownHosts } from '../fleet/known-hosts.ts';
import { preflight, worstOf } from '../fleet/preflight/preflight.ts';
import { preflightTable } from '../fleet/preflight/table.ts';
import { SshHost } from '../fleet/ssh-host.ts';
import { terminalHere } from '../fleet/terminal.ts';
import { trustHost } from '../fleet/trust-host.ts';
import { EXIT } from '../run/exit-code.ts';
import type { Command, Exit } from './command.ts';
import { EarlyEnd } from './early-end.ts';
import { badFlag } from './flag-value.ts';
import { print } from './print.ts';
import { terminalStyle } from './terminal-style.ts';

/** `meshproof fleet`: write down the machines of a mesh, trust them, and look at them before a run. */
export function fleetCommand(exit: Exit): Command {
  return {
    builder: (yargs) =>
      yargs
        .command(initCommand())
        .command(checkCommand(exit))
        .command(trustCommand())
        .command(importCommand())
        .demandCommand(1, 'fleet: say what to do: init, check, trust or import'),
    handler: () => {},
  };
}

function initCommand(): CommandModule {
  return {
    command: 'init <file>',
    describe: 'write an inventory to fill in',
    builder: (yargs) =>
      yargs
        .positional('file', { type: 'string', demandOption: true, describe: 'where to; must not exist' })
        .example('$0 fleet init fleet.toml', 'every field, with comments'),
    handler: async ({ file }) => {
      await writeFile(String(file), INVENTORY_TEMPLATE, { flag: 'wx' }).catch((error: unknown) => {
        const why = codeOf(error) === 'EEXIST' ? 'exists already' : messageOf(error);
        throw new UsageError('INVENTORY_NOT_WRITTEN', `${file}: ${why}`, { cause: error });
      });
      await print(
        `${file} written; fill it in, then: meshproof fleet trust ${file} HOST, meshproof fleet check ${file}\n`,
      );
    },
  };
}

function checkCommand(exit: Exit): CommandModule {
  return {
    command: 'check <file>',
    describe: 'read the inventory and look at every host in it; changes nothing',
    builder: (yargs) =>
      yargs
        .positional('file', { type: 'string', demandOption: true, describe: 'inventory' })
        .option('host', {
          type: 'string',
          array: true,
          default: [] as string[],
          requiresArg: true,
          describe: 'only these hosts',
        })
        .option('json', { type: 'boolean', default: false, describe: 'everything that was seen, as JSON' })
        .example('$0 fleet check fleet.toml', 'exit code 5 when a host cannot be used'),
    handler: async ({ file, host, json }) => {
      const inventory = await readInventory(String(file));
      const names = Array.isArray(host) ? host.map(String) : [];
      const picked = names.length === 0 ? inventory.hosts : pickHosts(inventory, names);
      const seen = await untilInterrupted((signal) =>
        preflight(picked, (entry) => new SshHost(entry.ssh), signal),
      );
      const { network, environment } = inventory;
      const status = worstOf(seen);
      await print(
        json
          ? `${JSON.stringify({ network, environment, status, hosts: seen }, null, 2)}\n`
          : `${file}: network ${network}, environment ${environment}\n\n${preflightTable(seen, terminalStyle().colour)}`,
      );
      exit(status === 'fail' ? EXIT.fault : EXIT.go);
    },
  };
}

function trustCommand(): CommandModule {
  return {
    command: 'trust <file> <host>',
    describe: 'record the key that a host shows, once you say that it is its own',
    builder: (yargs) =>
      yargs
        .positional('file', { type: 'string', demandOption: true, describe: 'inventory' })
        .positional('host', { type: 'string', demandOption: true, describe: 'name of a host or jump in it' })
        .option('fingerprint', {
          type: 'string',
          requiresArg: true,
          describe: 'what it must be, in place of the question: SHA256:…',
        })
        .example('$0 fleet trust fleet.toml alpha', 'shows the fingerprint and asks')
        .epilogue('On the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub'),
    handler: async ({ file, host, fingerprint }) => {
      if (fingerprint !== undefined && !fingerprintSchema.safeParse(fingerprint).success) {
        throw badFlag('--fingerprint', fingerprint, '"SHA256:" and 43 characters');
      }
      const { fingerprint: pinned, outcome } = await untilInterrupted((signal) =>
        trustHost(
          {
            file: String(file),
            name: String(host),
            expected: fingerprint === undefined ? null : String(fingerprint),
          },
          terminalHere(),
          signal,
        ),
      );
      await print(`${host}: ${pinned} ${outcome}${outcome === 'recorded' ? ` in ${file}` : ''}
`);
    },
  };
}

function importCommand(): CommandModule {
  return {
    command: 'import',
    describe: 'make an inventory of what OpenSSH knows; prints it',
    builder: (yargs) =>
      yargs
        .option('ssh-config', { type: 'string', requiresArg: true, describe: 'hosts, users, keys and jumps' })
        .option('known-hosts', { type: 'string', requiresArg: true, describe: 'host keys; hashed names too' })
        .example(
          '$0 fleet import --ssh-config ~/.ssh/config --known-hosts ~/.ssh/known_hosts > fleet.toml',
          'one [[host]] for each Host line without a pattern',
        ),
    handler: async (flags) => {
      const [configFile, knownFile] = [flags['ssh-config'], flags['known-hosts']];
      if (configFile === undefined && knownFile === undefined) {
        throw new UsageError('BAD_USAGE', 'fleet import: say --ssh-config FILE, --known-hosts FILE, or both');
      }
      const config =
        configFile === undefined
          ? null
          : { file: String(configFile), text: await readGiven('--ssh-config', configFile) };
      const known = new KnownHosts(
        knownFile === undefined ? '' : await readGiven('--known-hosts', knownFile),
      );
      const { text, notes } = importInventory(config, known, userInfo().username);
      await print(text);
      for (const note of notes) process.stderr.write(`note: ${note}\n`);
    },
  };
}

async function readGiven(flag: string, file: unknown): Promise<string> {
  return await readFile(String(file), 'utf8').catch((error: unknown) => {
    throw new UsageError('FILE_UNREADABLE', `${flag}: ${messageOf(error)}`, { cause: error });
  });
}

async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  using early = new EarlyEnd({ show: () => {}, close: () => {} });
  const result = await work(early.signal);
  early.throwIfDefective();
  return result;
}
