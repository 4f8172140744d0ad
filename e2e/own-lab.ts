import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ControlGroups } from '../harness/lab/containers/control-groups.ts';
import { enterCommand } from '../harness/lab/containers/enter-host.ts';
import { findLeader } from '../harness/lab/containers/host-leader.ts';
import { lowerLab, openLab } from '../harness/lab/containers/lab.ts';
import { checkLabNeeds } from '../harness/lab/containers/lab-needs.ts';
import { messageOf } from '../kit/errors.ts';

/** The process that made it is part of the name, so that labs of killed test runs are known. */
const HOME = /^meshproof-e2e-lab-(\d+)-/;
const INSIDE_BUDGET_MS = 60_000;
const run = promisify(execFile);
const { signal } = new AbortController();

/** Why there can be no lab on this machine, in the words that an operator would see; undefined when there can. */
export async function whyNoLab(): Promise<string | undefined> {
  const trial = await mkdtemp(join(tmpdir(), 'meshproof-e2e-trial-'));
  try {
    await checkLabNeeds({ dir: trial, hosts: 6 }, signal);
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    await rm(trial, { recursive: true, force: true });
  }
}

/** A directory for labs of this process, when those of test runs that were killed are gone. */
export async function makeLabsHome(): Promise<string> {
  for (const name of await readdir(tmpdir())) {
    const pid = HOME.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await removeLabsHome(join(tmpdir(), name));
  }
  return await mkdtemp(join(tmpdir(), `meshproof-e2e-lab-${process.pid}-`));
}

/** Takes every lab in it down. */
export async function removeLabsHome(home: string): Promise<void> {
  for (const lab of await readdir(home)) await lowerLab(join(home, lab), signal);
  await rm(home, { recursive: true, force: true });
}

/** Runs a script as root inside a host of the lab, past sshd and the network. */
export async function inside(dir: string, host: string, script: string): Promise<string> {
  const { plan } = await openLab(dir);
  const machine = plan.hosts.find(({ name }) => name === host)?.machine;
  if (machine === undefined) throw new Error(`no ${host} in ${dir}`);
  const leader = await findLeader(await ControlGroups.find(), machine);
  if (leader === undefined) throw new Error(`${host} is off`);
  const [program, ...args] = await enterCommand(leader, ['sh', '-c', script]);
  const options = { timeout: INSIDE_BUDGET_MS, maxBuffer: 64 * 1024 * 1024 };
  return (await run(program, args, options)).stdout;
}
