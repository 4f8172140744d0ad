import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { FaultError } from '../../kit/errors.ts';
import type { NodeBundle } from '../deploy/bundle.ts';
import type { Endpoint, ProcessEnd } from '../fleet/mesh-host.ts';
import { MeshChild } from './child-process.ts';

const LISTENING_BUDGET_MS = 30_000; // sixteen processes on two busy cores
const SAID_MAX_CHARS = 200;

type Role = ProcessEnd['role'];

const NETWORK_DATAGRAM_BYTES = 1_350; // as nodes use between hosts

interface MemberOptions {
  readonly name: string;
  /** Its own directory, which exists. */
  readonly home: string;
  readonly host: string;
  readonly udpPort: number;
  /** TCP ports that stay its own over restarts. */
  readonly apiPort: number;
  readonly runnerPort: number;
  readonly bundle: NodeBundle;
  readonly networkId: string;
  readonly operatorKeys: readonly string[];
}

/** The addresses by which a node knows the others, and whether it may learn more from them. */
export interface Neighbourhood {
  readonly knownPeers: readonly string[];
  readonly peerExchange: 'allowed' | 'forbidden';
}

interface MemberModules {
  readonly onStart: (role: Role, pid: number) => void;
  readonly onEnd: (end: ProcessEnd, expected: 'expected' | 'unexpected') => void;
}

/**
 * One node of a local mesh and the runner beside it, as processes that can be stopped and started again: the same
 * directory, identity, tokens and ports each time. What is asked of a process comes one after the other.
 */
export class LocalMember {
  readonly name: string;
  readonly udpPort: number;
  readonly #options: MemberOptions;
  readonly #modules: MemberModules;
  readonly #processes = new Map<Role, MeshChild>();
  readonly #turns: Record<Role, Promise<unknown>> = { node: Promise.resolve(), runner: Promise.resolve() };
  /** Processes that had to be killed since they did not stop; two for each start at most, named once. */
  readonly killed = new Set<string>();
  /** What its processes run from their next start on. */
  bundle: NodeBundle;
  #isClosed = false;

  constructor(options: MemberOptions, modules: MemberModules) {
    this.name = options.name;
    this.udpPort = options.udpPort;
    this.bundle = options.bundle;
    this.#options = options;
    this.#modules = modules;
  }

  get udpAddress(): string {
    return `${this.#options.host}:${this.udpPort}`;
  }

  /** The latest process of that role, ended or not. */
  process(role: Role): MeshChild | undefined {
    return this.#processes.get(role);
  }

  /** @throws FaultError `CHILD_NOT_LISTENING` */
  async startNode({ knownPeers, peerExchange }: Neighbourhood, signal: AbortSignal): Promise<Endpoint> {
    const { host, udpPort, apiPort, networkId } = this.#options;
    await writeFile(
      this.#configOf('node'),
      stringify({
        instance_name: this.name,
        bind_address: `${host}:${udpPort}`,
        api_address: `${host}:${apiPort}`,
        data_dir: this.#dataOf('node'),
        network_id: networkId,
        known_peers: [...knownPeers],
        // Behind links a datagram is what a network would carry, so that a share of loss means what it says.
        ...(peerExchange === 'forbidden' && {
          peer_exchange: false,
          max_datagram_bytes: NETWORK_DATAGRAM_BYTES,
        }),
        log_level: 'warn',
      }),
    );
    await this.#begin('node', signal).listening(LISTENING_BUDGET_MS, signal);
    const address = (await readFile(join(this.#dataOf('node'), 'api.port'), 'utf8')).trim();
    const token = await readFile(join(this.#dataOf('node'), 'api-token'), 'utf8');
    return { baseUrl: `http://${address}`, token: token.trim() };
  }

  /** @throws FaultError `CHILD_NOT_LISTENING` */
  async startRunner(node: Endpoint, signal: AbortSignal): Promise<Endpoint> {
    const { host, runnerPort, operatorKeys } = this.#options;
    const dataDir = this.#dataOf('runner');
    const tokenPath = join(dataDir, 'control-token');
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await writeFile(
      this.#configOf('runner'),
      stringify({
        node_name: this.name,
        api_base: node.baseUrl,
        api_token_path: join(this.#dataOf('node'), 'api-token'),
        control_address: `${host}:${runnerPort}`,
        control_token_path: tokenPath,
        operator_keys: [...operatorKeys],
        data_dir: dataDir,
        log_level: 'warn',
      }),
    );
    const line = await this.#begin('runner', signal).listening(LISTENING_BUDGET_MS, signal);
    const address = /control=(\S+)/.exec(line)?.[1];
    if (address === undefined) {
      const said = line.slice(0, SAID_MAX_CHARS);
      throw new FaultError('CHILD_NOT_LISTENING', `runner of ${this.name} said "${said}" as its first line`);
    }
    return { baseUrl: `http://${address}`, token: (await readFile(tokenPath, 'utf8')).trim() };
  }

  /** Stops the process; one that is not running is stopped already. @throws FaultError `CHILD_NOT_STOPPED` */
  stop(role: Role): Promise<void> {
    return this.#inTurn(role, () => this.#stop(role));
  }

  /** Starts the process as it was, unless it runs or the mesh is closed. Resolves when it is begun, not yet listening. */
  start(role: Role): Promise<void> {
    return this.#inTurn(role, async () => {
      if (!this.#isClosed && this.#processes.get(role)?.exit !== undefined) this.#start(role);
    });
  }

  /** Stops the process in order and starts it again; resolves when the new one is begun. */
  restart(role: Role, signal: AbortSignal): Promise<void> {
    return this.#inTurn(role, async () => {
      signal.throwIfAborted();
      await this.#stop(role);
      this.#begin(role, signal);
    });
  }

  /** From now on nothing is started any more. */
  close(): void {
    this.#isClosed = true;
  }

  #begin(role: Role, signal: AbortSignal): MeshChild {
    signal.throwIfAborted();
    if (!this.#isClosed) return this.#start(role);
    throw new FaultError(
      'MESH_CLOSED',
      `the ${role} of ${this.name} cannot start: the mesh is being taken down`,
    );
  }

  #start(role: Role): MeshChild {
    const { nodeEntry, runnerEntry } = this.bundle;
    const entry = role === 'node' ? nodeEntry : runnerEntry;
    const child = new MeshChild(`${role} of ${this.name}`, [entry, '--config', this.#configOf(role)]);
    this.#processes.set(role, child);
    if (child.pid !== undefined) this.#modules.onStart(role, child.pid);
    void child.exited.then(({ code, signal: endedBy, manner, lastWords }) => {
      const end: ProcessEnd = { node: this.name, role, code, signal: endedBy, lastWords };
      this.#modules.onEnd(end, manner === 'unasked' ? 'unexpected' : 'expected');
    });
    return child;
  }

  async #stop(role: Role): Promise<void> {
    const child = this.#processes.get(role);
    if (child === undefined) return;
    const { manner } = await child.stop();
    if (manner === 'killed') this.killed.add(child.name);
  }

  async #inTurn(role: Role, work: () => Promise<void>): Promise<void> {
    const turn = this.#turns[role].then(work);
    this.#turns[role] = turn.catch(() => {}); // told to whoever asked; the next one starts afresh
    await turn;
  }

  #configOf(role: Role): string {
    return join(this.#options.home, `${role}.toml`);
  }

  #dataOf(role: Role): string {
    return join(this.#options.home, role);
  }
}
