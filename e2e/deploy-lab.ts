import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Artifact } from '../harness/deploy/artifact.ts';
import { deploy } from '../harness/deploy/deploy.ts';
import type { DeployEvent, DeployReport } from '../harness/deploy/deploy-report.ts';
import { ensureOperatorKey } from '../harness/deploy/operator-key-file.ts';
import { Site } from '../harness/deploy/site.ts';
import type { Host } from '../harness/fleet/host.ts';
import { type InventoryHost, readInventory } from '../harness/fleet/inventory.ts';
import { SshHost } from '../harness/fleet/ssh-host.ts';
import { ControlGroups } from '../harness/lab/containers/control-groups.ts';
import { enterCommand } from '../harness/lab/containers/enter-host.ts';
import { findLeader } from '../harness/lab/containers/host-leader.ts';
import { lowerLab } from '../harness/lab/containers/lab.ts';
import { planLab } from '../harness/lab/containers/lab-plan.ts';
import { raiseLab } from '../harness/lab/containers/raise-lab.ts';
import { realClock } from '../kit/clock.ts';
import { createSigning } from '../kit/create-signing.ts';
import { messageOf } from '../kit/errors.ts';

const run = promisify(execFile);
const { signal } = new AbortController();
const ON_HOST_BUDGET_MS = 30_000;

interface DeployChanges {
  readonly hosts?: readonly string[];
  /** What the inventory says otherwise of a host. */
  readonly inventory?: Readonly<Record<string, (host: InventoryHost) => InventoryHost>>;
  /** What is otherwise on the way to a host. */
  readonly way?: Readonly<Record<string, (host: Host) => Host>>;
  readonly tell?: (event: DeployEvent) => void;
}

/** Three systemd machines to deploy to, and what the tests do to them. */
export class DeployLab implements AsyncDisposable {
  readonly home: string;
  readonly dir: string;
  readonly #hosts: number;
  #operatorKey = '';

  private constructor(home: string, hosts: number) {
    this.home = home;
    this.dir = join(home, 'lab');
    this.#hosts = hosts;
  }

  static async up(hosts: number): Promise<DeployLab> {
    await lowerForgotten();
    const lab = new DeployLab(await mkdtemp(join(tmpdir(), `meshproof-e2e-deploy-${process.pid}-`)), hosts);
    try {
      await lab.raise();
      const signing = await createSigning();
      lab.#operatorKey = (await ensureOperatorKey(lab.operatorKey, signing)).publicKeyBase64;
      await signing.close();
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose](); // hosts that did come up must not stay
      throw error;
    }
  }

  get inventory(): string {
    return join(this.dir, 'inventory.toml');
  }

  /** The private key that root of every host lets in. */
  get keyFile(): string {
    return planLab(this.dir, this.#hosts).keyFile;
  }

  get operatorKey(): string {
    return join(this.home, 'operator.key');
  }

  /** Starts what is off. */
  async raise(): Promise<void> {
    await raiseLab({ dir: this.dir, hostCount: this.#hosts, onHost: () => {} }, signal);
  }

  /** Runs a shell script as root of a host, not over SSH; gives what it printed, whatever its exit code. */
  async on(host: string, script: string): Promise<string> {
    const machine = planLab(this.dir, this.#hosts).hosts.find(({ name }) => name === host)?.machine ?? host;
    const leader = await findLeader(await ControlGroups.find(), machine);
    if (leader === undefined) throw new Error(`${host} is off`);
    const [program, ...args] = await enterCommand(leader, ['sh', '-c', `${script}\ntrue`]);
    return (await run(program, args, { timeout: ON_HOST_BUDGET_MS })).stdout.trim();
  }

  async sites({ hosts, inventory = {}, way = {} }: DeployChanges = {}) {
    const file = await readInventory(this.inventory);
    const mesh = file.hosts.map((host) => {
      const changed = inventory[host.name]?.(host) ?? host;
      const direct = new SshHost(changed.ssh);
      return new Site(changed, way[host.name]?.(direct) ?? direct);
    });
    const chosen = mesh.filter(({ name }) => hosts?.includes(name) ?? true);
    return { mesh, chosen, close: () => Promise.all(mesh.map((site) => site[Symbol.asyncDispose]())) };
  }

  async deploy(artifact: Artifact, changes: DeployChanges = {}): Promise<DeployReport> {
    const { mesh, chosen, close } = await this.sites(changes);
    const { tell = () => {} } = changes;
    const operatorKeys = [this.#operatorKey];
    try {
      return await deploy(
        { sites: chosen, mesh, artifact, networkId: 'test', operatorKeys, parallel: null, tell },
        { signal, abandon: signal },
      );
    } finally {
      await close();
    }
  }

  /** Sends messages between hosts that are not `changing`, back and forth, until it is stopped. */
  async startTraffic(changing: () => string | undefined): Promise<{ stop(): Promise<Traffic> }> {
    const { mesh, close } = await this.sites();
    const agents = new Map<string, string>();
    for (const site of mesh) agents.set(site.name, (await (await site.client(signal)).agent()).agent_id);
    const traffic: Traffic = { sent: {}, lost: [] };
    const stopped = new AbortController();
    const going = (async () => {
      for (let turn = 0; !stopped.signal.aborted; turn += 1) {
        const during = changing();
        const still = mesh.filter(({ name }) => name !== during);
        const [from, to] = [still[turn % still.length], still[(turn + 1) % still.length]];
        if (from === undefined || to === undefined) continue;
        const why = await sendOne(from, agents.get(to.name) ?? '');
        if (why === null) traffic.sent[during ?? 'none'] = (traffic.sent[during ?? 'none'] ?? 0) + 1;
        else if (changing() === during) traffic.lost.push(`${from.name} to ${to.name}: ${why}`);
        else await from.forget();
        await realClock.sleep(50, signal);
      }
    })();
    return {
      stop: async () => {
        stopped.abort();
        await going;
        await close();
        return traffic;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await lowerLab(this.dir, signal);
    await rm(this.home, { recursive: true, force: true });
  }
}

/** How many messages arrived while which host was being changed (`none`), and which did not though both ends were to stay. */
interface Traffic {
  readonly sent: Record<string, number>;
  readonly lost: string[];
}

async function sendOne(from: Site, agentId: string): Promise<string | null> {
  try {
    const client = await from.client(signal);
    const receipt = await client.directSend(
      {
        agent_id: agentId,
        payload: Buffer.from('traffic'),
        prefer_raw_quic_if_connected: true,
        raw_quic_receive_ack_ms: 8_000,
        stop_fallback_on_raw_error: true,
      },
      { signal },
    );
    return receipt.path === 'raw_quic_acked' ? null : `went by ${receipt.path}`;
  } catch (error) {
    return messageOf(error);
  }
}

/** Labs of test runs that were killed. */
async function lowerForgotten(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = /^meshproof-e2e-deploy-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    await lowerLab(join(tmpdir(), name, 'lab'), signal);
    await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}

/** One line per host and problem, with figures of this machine and the moment left out. */
export function told({ hosts }: DeployReport): readonly string[] {
  return hosts.map(({ host, outcome, problems }) =>
    [host, outcome, ...problems.flatMap(({ code, message }) => [code, withoutFigures(message)])].join(' '),
  );
}

const withoutFigures = (message: string) =>
  message
    .replaceAll(/(?<=\bpid |\bSHA|x86_|aarch|systemd |(?:^|[ ,:])(?=\d+ MB))\d+/g, '*')
    .replaceAll(/(systemd-socket-)\w*/g, '$1*');
