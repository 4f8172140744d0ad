import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { withinBudget } from '../../kit/deadline.ts';
import { FaultError } from '../../kit/errors.ts';
import { NodeClient } from '../../node/client.ts';
import type { NodeBundle } from '../deploy/bundle.ts';
import type { Endpoint, Fleet, MeshHost, ProcessEnd } from '../fleet/mesh-host.ts';
import { MeshChild } from './child-process.ts';
import { freeUdpPorts } from './free-ports.ts';
import { makeLabHome } from './lab-home.ts';
import { startTogether } from './start-together.ts';
import { holdsUdpPort } from './udp-owner.ts';

const HOST = '127.0.0.1';
const LISTENING_BUDGET_MS = 30_000; // sixteen processes on two busy cores
const RUNNERS_AHEAD_MS = 1_500; // runners say good-bye to their nodes; a stuck one does not hold up the mesh
const FOLDER_NAME_MAX_CHARS = 40;

export interface LocalMeshOptions {
  readonly names: readonly string[];
  readonly anchor: string;
  readonly bundle: NodeBundle;
  readonly networkId: string;
  /** Public keys (base64) whose signed commands the runners obey. */
  readonly operatorKeys: readonly string[];
  /** First UDP port, the nodes taking one each from there; without it, any free ports. */
  readonly basePort: number | undefined;
  readonly onProcessStart?: (node: string, role: Role, pid: number) => void;
}

type Role = ProcessEnd['role'];
type EndListener = Parameters<Fleet['onProcessEnd']>[0];

interface Member {
  readonly name: string;
  readonly home: string;
  readonly udpPort: number;
  readonly children: { readonly role: Role; readonly child: MeshChild }[];
}

/**
 * A real mesh on this machine without root: every node and every runner is a process of its own on loopback, with its
 * own directory under a temporary one that goes with the mesh.
 */
export class LocalMesh implements Fleet {
  readonly hosts: MeshHost[] = [];
  readonly #options: LocalMeshOptions;
  readonly #members: Member[] = [];
  readonly #listeners: EndListener[] = [];
  /** One per process at most; who listens late hears of those that ended early. */
  readonly #ends: Parameters<EndListener>[] = [];
  #home: string | undefined;
  #stopping: Promise<void> | undefined;

  private constructor(options: LocalMeshOptions) {
    this.#options = options;
  }

  /** Starts all nodes, then all runners; takes everything down again when any of it fails or `signal` aborts. */
  static async start(options: LocalMeshOptions, signal: AbortSignal): Promise<LocalMesh> {
    const mesh = new LocalMesh(options);
    try {
      await mesh.#start(signal);
      return mesh;
    } catch (error) {
      await mesh.stop().catch((stopError: unknown) => {
        throw new SuppressedError(stopError, error);
      });
      throw error;
    }
  }

  get anchor(): MeshHost {
    const anchor = this.hosts.find((host) => host.name === this.#options.anchor);
    if (!anchor) throw new Error(`anchor ${this.#options.anchor} is not part of this mesh`);
    return anchor;
  }

  onProcessEnd(listener: EndListener): void {
    this.#listeners.push(listener);
    for (const end of this.#ends) listener(...end);
  }

  /** @throws FaultError `CHILD_NOT_STOPPED`; `CHILD_KILLED` when a process had to be killed, since it did not stop */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { names, basePort } = this.#options;
    const ports =
      basePort === undefined
        ? await freeUdpPorts(HOST, names.length)
        : names.map((_, index) => basePort + index);
    this.#home = await makeLabHome();
    for (const [index, name] of names.entries()) {
      const home = join(
        this.#home,
        `${index + 1}-${name.replaceAll(/[^\w.-]/g, '_').slice(0, FOLDER_NAME_MAX_CHARS)}`,
      );
      await mkdir(home, { recursive: true, mode: 0o700 });
      this.#members.push({ name, home, udpPort: ports[index] ?? 0, children: [] });
    }
    const nodes = await startTogether(
      this.#members.map((member) => (within) => this.#startNode(member, within)),
      signal,
    );
    const hosts = await startTogether(
      this.#members.map((member, index) => async (within) => {
        const node = nodes[index];
        if (!node) throw new Error(`no endpoint for ${member.name}`);
        return this.#host(member, node, await this.#startRunner(member, node, within));
      }),
      signal,
    );
    this.hosts.push(...hosts);
  }

  async #startNode(member: Member, signal: AbortSignal): Promise<Endpoint> {
    const dataDir = join(member.home, 'node');
    const config = join(member.home, 'node.toml');
    const others = this.#members.filter((other) => other !== member);
    await writeFile(
      config,
      stringify({
        instance_name: member.name,
        bind_address: `${HOST}:${member.udpPort}`,
        api_address: `${HOST}:0`,
        data_dir: dataDir,
        network_id: this.#options.networkId,
        known_peers: others.map((other) => `${HOST}:${other.udpPort}`),
        log_level: 'warn',
      }),
    );
    await this.#spawn(member, 'node', [this.#options.bundle.nodeEntry, '--config', config], signal);
    const address = (await readFile(join(dataDir, 'api.port'), 'utf8')).trim();
    return {
      baseUrl: `http://${address}`,
      token: (await readFile(join(dataDir, 'api-token'), 'utf8')).trim(),
    };
  }

  async #startRunner(member: Member, node: Endpoint, signal: AbortSignal): Promise<Endpoint> {
    const dataDir = join(member.home, 'runner');
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    const config = join(member.home, 'runner.toml');
    const tokenPath = join(dataDir, 'control-token');
    await writeFile(
      config,
      stringify({
        node_name: member.name,
        api_base: node.baseUrl,
        api_token_path: join(member.home, 'node', 'api-token'),
        control_address: `${HOST}:0`,
        control_token_path: tokenPath,
        operator_keys: [...this.#options.operatorKeys],
        data_dir: dataDir,
        log_level: 'warn',
      }),
    );
    const line = await this.#spawn(
      member,
      'runner',
      [this.#options.bundle.runnerEntry, '--config', config],
      signal,
    );
    const address = /control=(\S+)/.exec(line)?.[1];
    if (address === undefined) throw new Error(`${member.name}: runner said "${line}"`);
    return { baseUrl: `http://${address}`, token: (await readFile(tokenPath, 'utf8')).trim() };
  }

  async #spawn(member: Member, role: Role, args: readonly string[], signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const child = new MeshChild(`${role} of ${member.name}`, args, {});
    member.children.push({ role, child });
    if (child.pid !== undefined) this.#options.onProcessStart?.(member.name, role, child.pid);
    void child.exited.then(({ code, signal: endedBy, manner, lastWords }) => {
      const end: ProcessEnd = { node: member.name, role, code, signal: endedBy, lastWords };
      const expected = manner === 'unasked' ? 'unexpected' : 'expected';
      this.#ends.push([end, expected]);
      for (const tell of this.#listeners) tell(end, expected);
    });
    return await child.listening(LISTENING_BUDGET_MS, signal);
  }

  #host(member: Member, node: Endpoint, runner: Endpoint): MeshHost {
    const pid = member.children.find(({ role }) => role === 'node')?.child.pid ?? 0;
    return {
      name: member.name,
      region: null,
      node: new NodeClient(node),
      api: node,
      runner,
      udpAddress: `${HOST}:${member.udpPort}`,
      udpPortBound: () => holdsUdpPort(pid, member.udpPort),
    };
  }

  async #stop(): Promise<void> {
    const children = this.#members.flatMap((member) => member.children);
    const stopAll = (wanted: Role) =>
      Promise.all(children.filter(({ role }) => role === wanted).map(({ child }) => child.stop()));
    try {
      const runners = stopAll('runner');
      await withinBudget('the runners to stop', RUNNERS_AHEAD_MS, () => runners).catch(() => {}); // waited for below
      await Promise.all([runners, stopAll('node')]);
      const killed = children.filter(({ child }) => child.exit?.manner === 'killed');
      if (killed.length > 0) throw killedError(killed.map(({ child }) => child.name));
    } finally {
      await Promise.all(this.hosts.map((host) => host.node.close()));
      if (this.#home !== undefined) await rm(this.#home, { recursive: true, force: true, maxRetries: 3 });
    }
  }
}

function killedError(names: readonly string[]): FaultError {
  return new FaultError(
    'CHILD_KILLED',
    `did not stop when asked to and had to be killed: ${names.join(', ')}`,
    {
      details: { names },
    },
  );
}
