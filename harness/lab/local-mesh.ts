import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withinBudget } from '../../kit/deadline.ts';
import { FaultError } from '../../kit/errors.ts';
import { NodeClient } from '../../node/client.ts';
import type { NodeBundle } from '../deploy/bundle.ts';
import { makeSecondBundle } from '../deploy/second-bundle.ts';
import type { Endpoint, Fleet, MeshHost, ProcessEnd } from '../fleet/mesh-host.ts';
import { foundPortTaken, freePorts } from './free-ports.ts';
import { makeLabHome } from './lab-home.ts';
import type { LinkPlan } from './links/link-plan.ts';
import { LocalFaultDriver } from './local-fault-driver.ts';
import { LocalLinks } from './local-links.ts';
import { LocalMember } from './local-member.ts';
import { LocalOutsiders } from './local-outsiders.ts';
import { startTogether } from './start-together.ts';
import { holdsUdpPort } from './udp-owner.ts';

const HOST = '127.0.0.1';
const RUNNERS_AHEAD_MS = 1_500; // runners say good-bye to their nodes; a stuck one does not hold up the mesh
const FOLDER_NAME_MAX_CHARS = 40;
const START_TRIES = 3; // another program that takes a port just then is rare

export interface LocalMeshOptions {
  readonly names: readonly string[];
  readonly anchor: string;
  readonly bundle: NodeBundle;
  /** A directory with the bundle onto which nodes are upgraded; without it, `bundle` under another version. */
  readonly upgradeBundle?: string | undefined;
  readonly networkId: string;
  /** Public keys (base64) whose signed commands the runners obey. */
  readonly operatorKeys: readonly string[];
  /** First UDP port, the nodes taking one each from there; without it, any free ports. */
  readonly basePort: number | undefined;
  /** The links between the nodes, through a proxy; without it they reach each other directly, and no fault can part them. */
  readonly links?: LinkPlan | undefined;
  /** Of what the links choose at random. */
  readonly linkSeed?: number;
  readonly onProcessStart?: (node: string, role: Role, pid: number) => void;
  /** What carries the mesh is gone; from now on it can prove nothing about its nodes. Called once at most. */
  readonly onBroken?: (error: FaultError) => void;
}

type Role = ProcessEnd['role'];
type EndListener = Parameters<Fleet['onProcessEnd']>[0];

/**
 * A real mesh on this machine without root: every node and every runner is a process of its own on loopback, with its
 * own directory under a temporary one that goes with the mesh.
 */
export class LocalMesh implements Fleet {
  readonly hosts: MeshHost[] = [];
  readonly faults: LocalFaultDriver;
  readonly outsiders: LocalOutsiders;
  readonly #options: LocalMeshOptions;
  readonly #members: LocalMember[] = [];
  readonly #listeners: EndListener[] = [];
  /** One per process that ended, restarts included; who listens late hears of those that ended early. */
  readonly #ends: Parameters<EndListener>[] = [];
  readonly upgrades = { stage: (node: string) => this.#stageOther(node) };
  #secondBundle: Promise<NodeBundle> | undefined;
  #links: LocalLinks | undefined;
  #home: string | undefined;
  #stopping: Promise<void> | undefined;

  private constructor(options: LocalMeshOptions) {
    this.#options = options;
    this.faults = new LocalFaultDriver({
      memberOf: (name) => this.#members.find((member) => member.name === name),
      agent: () => this.#links?.agent,
    });
    this.outsiders = new LocalOutsiders({
      networkId: options.networkId,
      nodes: () => new Map(this.#members.map(({ name, udpPort }) => [name, { host: HOST, port: udpPort }])),
      links: () => this.#links,
    });
  }

  /**
   * Starts the links, all nodes, then all runners; takes everything down again when any of it fails or `signal` aborts.
   * Where another program was quicker to take a port that was chosen here, all begins anew with others.
   */
  static async start(options: LocalMeshOptions, signal: AbortSignal): Promise<LocalMesh> {
    for (let triesLeft = options.basePort === undefined ? START_TRIES : 1; ; triesLeft -= 1) {
      const mesh = new LocalMesh(options);
      try {
        await mesh.#start(signal);
        return mesh;
      } catch (error) {
        await mesh.stop().catch((stopError: unknown) => {
          throw new SuppressedError(stopError, error);
        });
        if (triesLeft <= 1 || !foundPortTaken(error)) throw error;
      }
    }
  }

  get anchor(): MeshHost {
    const anchor = this.hosts.find((host) => host.name === this.#options.anchor);
    if (!anchor) throw new Error(`anchor ${this.#options.anchor} is not part of this mesh`);
    return anchor;
  }

  /** The links between the nodes; undefined where they reach each other directly. */
  get links(): LocalLinks | undefined {
    return this.#links;
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
    this.#home = await makeLabHome();
    await this.#makeMembers(this.#home);
    if (this.#options.links !== undefined) await this.#startLinks(this.#options.links, signal);
    const nodes = await startTogether(
      this.#members.map((member) => (within) => member.startNode(this.#neighboursOf(member), within)),
      signal,
    );
    const hosts = await startTogether(
      this.#members.map((member, index) => async (within) => {
        const node = nodes[index];
        if (!node) throw new Error(`no endpoint for ${member.name}`);
        return this.#host(member, node, await member.startRunner(node, within));
      }),
      signal,
    );
    this.hosts.push(...hosts);
  }

  async #makeMembers(meshHome: string): Promise<void> {
    const { names, basePort, bundle, networkId, operatorKeys } = this.#options;
    const count = names.length;
    const [udpPorts, tcpPorts] = await Promise.all([
      basePort === undefined ? freePorts('udp', HOST, count) : names.map((_, index) => basePort + index),
      freePorts('tcp', HOST, 2 * count),
    ]);
    for (const [index, name] of names.entries()) {
      const folder = `${index + 1}-${name.replaceAll(/[^\w.-]/g, '_').slice(0, FOLDER_NAME_MAX_CHARS)}`;
      const home = join(meshHome, folder);
      await mkdir(home, { recursive: true, mode: 0o700 });
      const [udpPort, apiPort, runnerPort] = [udpPorts[index], tcpPorts[index], tcpPorts[count + index]];
      if (udpPort === undefined || apiPort === undefined || runnerPort === undefined)
        throw new Error('no port');
      const places = { name, home, host: HOST, udpPort, apiPort, runnerPort };
      this.#members.push(
        new LocalMember(
          { ...places, bundle, networkId, operatorKeys },
          {
            onStart: (role, pid) => this.#options.onProcessStart?.(name, role, pid),
            onEnd: (...end) => {
              this.#ends.push(end);
              for (const tell of this.#listeners) tell(...end);
            },
          },
        ),
      );
    }
  }

  async #startLinks(plan: LinkPlan, signal: AbortSignal): Promise<void> {
    const links = await LocalLinks.start(plan, this.#options.linkSeed ?? 0, signal);
    this.#links = links;
    void links.lost.then((error) => this.#options.onBroken?.(error));
    await links.open(
      this.#members.map(({ name, udpPort }) => ({ name, host: HOST, port: udpPort })),
      signal,
    );
  }

  #neighboursOf(member: LocalMember) {
    if (this.#links !== undefined) {
      return { knownPeers: this.#links.doorsOf(member.name), peerExchange: 'forbidden' } as const;
    }
    const others = this.#members.filter((other) => other !== member);
    return { knownPeers: others.map((other) => other.udpAddress), peerExchange: 'allowed' } as const;
  }

  /** Of the two bundles, the one that the node does not run. */
  async #stageOther(node: string): Promise<{ readonly bundleSha256: string }> {
    const member = this.#members.find(({ name }) => name === node);
    if (member === undefined || this.#home === undefined) throw new Error(`${node} is not part of this mesh`);
    const { bundle, upgradeBundle } = this.#options;
    this.#secondBundle ??= makeSecondBundle(bundle, {
      home: join(this.#home, 'second-bundle'),
      from: upgradeBundle,
    });
    const second = await this.#secondBundle;
    member.bundle = member.bundle.sha256 === bundle.sha256 ? second : bundle;
    return { bundleSha256: member.bundle.sha256 };
  }

  #host(member: LocalMember, node: Endpoint, runner: Endpoint): MeshHost {
    return {
      name: member.name,
      region: this.#options.links?.regions.get(member.name) ?? null,
      node: new NodeClient(node),
      api: node,
      runner,
      udpAddress: member.udpAddress,
      udpPortBound: () => holdsUdpPort(member.process('node')?.pid ?? 0, member.udpPort),
    };
  }

  /** Every step is taken, whatever became of those before it. */
  async #stop(): Promise<void> {
    for (const member of this.#members) member.close();
    await using steps = new AsyncDisposableStack(); // taken from the last to the first
    steps.defer(async () => {
      if (this.#home !== undefined) await rm(this.#home, { recursive: true, force: true, maxRetries: 3 });
    });
    steps.defer(async () => void (await Promise.all(this.hosts.map((host) => host.node.close()))));
    steps.defer(() => this.#links?.stop());
    steps.defer(() => this.#stopProcesses());
    steps.defer(() => this.outsiders.close());
    steps.defer(() => this.faults.close());
  }

  async #stopProcesses(): Promise<void> {
    const stopAll = (role: Role) => Promise.all(this.#members.map((member) => member.stop(role)));
    const runners = stopAll('runner');
    await withinBudget('the runners to stop', RUNNERS_AHEAD_MS, () => runners).catch(() => {}); // waited for below
    await Promise.all([runners, stopAll('node')]);
    const killed = this.#members.flatMap((member) => [...member.killed]);
    if (killed.length > 0) throw killedError(killed);
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
