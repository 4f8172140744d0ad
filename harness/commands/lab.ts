import { resolve } from 'node:path';
import type { Argv, CommandModule } from 'yargs';
import { onParentGone } from '../../kit/lifeline.ts';
import type { HostStatus } from '../lab/containers/host-status.ts';
import { type LabLinksStatus, type LabStatus, lowerLab, statusOfLab } from '../lab/containers/lab.ts';
import { removeEmptyDir } from '../lab/containers/lab-dir.ts';
import { runOnHost } from '../lab/containers/lab-exec.ts';
import { linksOfLab, setLinks } from '../lab/containers/lab-links.ts';
import { HOSTS_MAX, type LabHost } from '../lab/containers/lab-plan.ts';
import { raiseLab } from '../lab/containers/raise-lab.ts';
import type { LinkPlan } from '../lab/links/link-plan.ts';
import { EXIT } from '../run/exit-code.ts';
import type { Command, Exit } from './command.ts';
import { EarlyEnd } from './early-end.ts';
import { wholeNumber } from './flag-value.ts';
import { print } from './print.ts';

const CELL_CHARS = 7;
const DEFAULT_DIR = '/var/lib/meshproof-lab';

/** `meshproof lab`: systemd machines on this one, reached by SSH like any others. */
export function labCommand(exit: Exit): Command {
  return {
    builder: (yargs) =>
      yargs
        .command(upCommand())
        .command(downCommand())
        .command(statusCommand(exit))
        .command(execCommand(exit))
        .command(linksCommand())
        .demandCommand(1, 'lab: say what to do: up, down, status, exec or links'),
    handler: () => {},
  };
}

function upCommand(): CommandModule {
  return {
    command: 'up',
    describe: 'start the machines, or what is missing of them, and write their inventory',
    builder: (yargs) =>
      withDir(yargs)
        .option('hosts', {
          type: 'number',
          requiresArg: true,
          describe: 'how many machines (6, or as many as there are)',
        })
        .example('$0 lab up --hosts 6', 'six machines, and the inventory that reaches them'),
    handler: async ({ dir, hosts }) => {
      const hostCount = hosts === undefined ? undefined : wholeNumber('--hosts', hosts, 1, HOSTS_MAX);
      await untilInterrupted(async (signal) => {
        const { plan } = await raiseLab(
          {
            dir: String(dir),
            hostCount,
            onHost: (host, status, how) => void print(hostLine(host, status, how)),
          },
          signal,
        );
        await print(`inventory: ${plan.inventoryFile}\nby hand:   ssh -F ${plan.dir}/ssh_config lab1\n`);
      });
    },
  };
}

function downCommand(): CommandModule {
  return {
    command: 'down',
    describe: 'remove the machines and all that belongs to them, and look that nothing is left',
    builder: (yargs) => withDir(yargs),
    handler: async ({ dir }) => {
      await untilInterrupted(async (signal) => {
        const outcome = await lowerLab(String(dir), signal);
        if (outcome === 'none') return await print(`no lab in ${dir}: nothing to remove\n`);
        await removeEmptyDir(String(dir));
        await print(`lab in ${dir} removed: no process, namespace, mount or control group of it is left\n`);
      });
    },
  };
}

function statusCommand(exit: Exit): CommandModule {
  return {
    command: 'status',
    describe: 'how each machine is; exit 0 when all are up and the links stand, 5 when not',
    builder: (yargs) =>
      withDir(yargs).option('json', { type: 'boolean', default: false, describe: 'print it as JSON' }),
    handler: async ({ dir, json }) => {
      await untilInterrupted(async (signal) => {
        const status = await statusOfLab(String(dir), signal);
        await print(json ? `${JSON.stringify(statusDocument(status), null, 2)}\n` : statusTable(status));
        exit(status.verdict === 'up' ? EXIT.go : EXIT.fault);
      });
    },
  };
}

function execCommand(exit: Exit): CommandModule {
  return {
    command: 'exec <host> [argv..]',
    describe: 'run a program on a machine as root, also when its sshd or its network is down',
    builder: (yargs) =>
      withDir(yargs)
        .positional('host', { type: 'string', demandOption: true, describe: 'name of the machine: lab1' })
        .positional('argv', {
          type: 'string',
          array: true,
          describe: 'after --: the program and its arguments',
        })
        .example('$0 lab exec lab1 -- journalctl -b', 'its journal since it was started'),
    handler: async ({ dir, host }) => {
      const at = process.argv.indexOf('--');
      exit(await runOnHost(String(dir), String(host), at < 0 ? [] : process.argv.slice(at + 1)));
    },
  };
}

function linksCommand(): CommandModule {
  return {
    command: 'links',
    describe: 'show or set how long and how lossy the way between the machines is',
    builder: (yargs) =>
      withDir(yargs)
        .option('profile', {
          type: 'string',
          requiresArg: true,
          describe: 'six-cities, another profile, a .toml file, or none',
        })
        .example('$0 lab links --profile six-cities', 'round trips as between six cities'),
    handler: async ({ dir, profile }) => {
      await untilInterrupted(async (signal) => {
        if (profile !== undefined) await setLinks(String(dir), String(profile), signal);
        await print(linksTable(await linksOfLab(String(dir))));
      });
    },
  };
}

function withDir<T>(yargs: Argv<T>) {
  return yargs.option('dir', {
    type: 'string',
    default: DEFAULT_DIR,
    requiresArg: true,
    coerce: (dir: string) => resolve(dir),
    describe: 'directory of the lab; each has its own machines and network',
  });
}

async function untilInterrupted(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  using early = new EarlyEnd({ show: () => {}, close: () => {} });
  const letGo = onParentGone(() => early.end('SIGHUP'));
  try {
    await work(early.signal);
    early.throwIfDefective();
  } finally {
    letGo();
  }
}

function hostLine(host: LabHost, status: HostStatus, note: string): string {
  const failed = status.failedUnits.length > 0 ? ` (failed: ${status.failedUnits.join(' ')})` : '';
  return `${host.name.padEnd(7)} ${host.region.padEnd(10)} ${host.address.padEnd(15)} ${status.state}${failed}, sshd ${status.sshd}, ${note}\n`;
}

function statusTable({ plan, stage, hosts, links }: LabStatus): string {
  const lines = hosts.map((host) => hostLine(host.host, host, `systemd is process ${host.leaderPid ?? '-'}`));
  const note =
    stage === 'up' ? '' : `; the last \`lab ${stage === 'raising' ? 'up' : 'down'}\` did not finish`;
  return `lab ${plan.id} in ${plan.dir}${note}\n${lines.join('')}${linksLine(links)}`;
}

function linksLine({ name, driver, problem }: LabLinksStatus): string {
  const how = { bridge: '', netem: ', by netem of the kernel', router: ', by the link router' };
  const then = problem === null ? how[driver ?? 'bridge'] : `, BROKEN: ${problem}`;
  return `links: ${name ?? 'none'}${then}\n`;
}

function statusDocument({ plan, stage, verdict, links, hosts }: LabStatus) {
  return {
    id: plan.id,
    dir: plan.dir,
    stage,
    verdict,
    network_namespace: plan.network,
    inventory: plan.inventoryFile,
    links,
    hosts: hosts.map(({ host, state, failedUnits, sshd, leaderPid, supervisorPid }) => ({
      name: host.name,
      region: host.region,
      address: host.address,
      address6: host.address6,
      machine: host.machine,
      network_namespace: host.machine,
      disk: host.disk,
      state,
      failed_units: failedUnits,
      sshd,
      leader_pid: leaderPid,
      supervisor_pid: supervisorPid,
    })),
  };
}

function linksTable({ plan, links, stage }: Awaited<ReturnType<typeof linksOfLab>>): string {
  const note = stage === 'set' ? '' : '; set on some machines only: set them again';
  if (links === undefined) return `links: none${note}; the machines are as near as the bridge between them\n`;
  const names = plan.hosts.map(({ name }) => name);
  const cell = (value: string | number) => String(value).padStart(CELL_CHARS);
  const rows = names.map((from) => {
    const cells = names.map((to) => (from === to ? '-' : roundTripMs(links, from, to)));
    return `${from.padEnd(CELL_CHARS)}${cells.map(cell).join('')}\n`;
  });
  const header = `${''.padEnd(CELL_CHARS)}${names.map(cell).join('')}`;
  return `links: ${links.name}; round trips in ms, as set${note}\n${header}\n${rows.join('')}`;
}

function roundTripMs(links: LinkPlan, from: string, to: string): number {
  return Math.round(links.figuresOf(from, to).latencyMs + links.figuresOf(to, from).latencyMs);
}
