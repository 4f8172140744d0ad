import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { ensureBundle } from '../harness/deploy/bundle.ts';
import type { MeshHost } from '../harness/fleet/mesh-host.ts';
import { LocalMesh } from '../harness/lab/local-mesh.ts';
import { createSigning } from '../kit/create-signing.ts';
import { until } from '../kit/deadline.ts';
import type { Signer, Signing } from '../kit/signing.ts';

/** The network id that `TransportRig` and `hostilePeer` speak, so that they pass for members. */
const NETWORK_ID = 'rig';
const START_BUDGET_MS = 30_000;

const runnerHealthSchema = z.looseObject({
  unhandled_errors_total: z.int(),
  control: z.looseObject({
    unauthorized_total: z.int(),
    rejected_total: z.int(),
    malformed_http_total: z.int(),
    timed_out_total: z.int(),
  }),
  commands: z.looseObject({
    executed: z.int(),
    duplicates: z.int(),
    refused: z.record(z.string(), z.int()),
  }),
});

/** One node with its runner, as its attackers and its judge see it. */
export class Victim {
  readonly host: MeshHost;
  readonly address: { readonly host: string; readonly port: number };
  readonly machineId: string;
  readonly agentId: string;

  constructor(host: MeshHost, ids: { readonly machine_id: string; readonly agent_id: string }) {
    this.host = host;
    const [name = '', port = ''] = host.udpAddress.split(':');
    this.address = { host: name, port: Number(port) };
    this.machineId = ids.machine_id;
    this.agentId = ids.agent_id;
  }

  async runtime() {
    return (await this.host.node.document('runtime')).body;
  }

  async transport() {
    return (await this.host.node.document('transport')).body.transport;
  }

  async gossip() {
    return (await this.host.node.document('gossip')).body;
  }

  async dm() {
    return (await this.host.node.document('dm')).body.stats;
  }

  /** Acknowledgement outcomes by name, over all peers and minutes. */
  async ackOutcomes(): Promise<ReadonlyMap<string, number>> {
    const sums = new Map<string, number>();
    for (const { outcomes } of (await this.host.node.document('ack')).body.ack.peers) {
      for (const [name, count] of Object.entries(outcomes)) sums.set(name, (sums.get(name) ?? 0) + count);
    }
    return sums;
  }

  /** Sends an envelope to the runner; gives the status and the code or acceptance it answered with. */
  async command(body: string, token = this.host.runner.token) {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const answer = await fetch(`${this.host.runner.baseUrl}/command`, { method: 'POST', headers, body });
    return {
      status: answer.status,
      body: z
        .looseObject({ code: z.string().optional(), duplicate: z.boolean().optional() })
        .parse(await answer.json()),
    };
  }

  async runnerHealth() {
    const headers = { authorization: `Bearer ${this.host.runner.token}` };
    const answer = await fetch(`${this.host.runner.baseUrl}/health`, { headers });
    return runnerHealthSchema.parse(await answer.json());
  }
}

/** Two real nodes and their runners, the operator they obey, and a note of every process that ended. */
export class HostileMesh {
  readonly #mesh: LocalMesh;
  readonly #signing: Signing;
  readonly operator: Signer;
  readonly victims: readonly [Victim, Victim];
  /** Digest of the programs that were started. */
  readonly bundleSha256: string;
  readonly ended: string[] = [];

  private constructor(
    mesh: LocalMesh,
    signing: Signing,
    { operator, victims, bundleSha256 }: Pick<HostileMesh, 'operator' | 'victims' | 'bundleSha256'>,
  ) {
    this.#mesh = mesh;
    this.#signing = signing;
    this.operator = operator;
    this.victims = victims;
    this.bundleSha256 = bundleSha256;
    mesh.onProcessEnd(({ node, role, lastWords }, expected) => {
      if (expected === 'unexpected') this.ended.push(`${role} of ${node}: ${lastWords.join(' / ')}`);
    });
  }

  static async start(): Promise<HostileMesh> {
    const signing = await createSigning();
    const operator = await signing.signer(signing.freshSeed());
    const options = {
      names: ['alpha', 'beta'],
      anchor: 'alpha',
      bundle: await ensureBundle(),
      networkId: NETWORK_ID,
      operatorKeys: [Buffer.from(operator.publicKey).toString('base64')],
      basePort: undefined,
    };
    const mesh = await LocalMesh.start(options, AbortSignal.timeout(START_BUDGET_MS));
    const [alpha, beta] = await Promise.all(
      mesh.hosts.map(async (host) => new Victim(host, await host.node.agent())),
    );
    if (alpha === undefined || beta === undefined) throw new Error('the mesh has fewer than two nodes');
    const started = new HostileMesh(mesh, signing, {
      operator,
      victims: [alpha, beta],
      bundleSha256: options.bundle.sha256,
    });
    await started.linked();
    return started;
  }

  /** Someone else's key, of whom no runner knows. */
  stranger(): Promise<Signer> {
    return this.#signing.signer(this.#signing.freshSeed());
  }

  /** Waits until each of the two has the other as a live peer. */
  async linked(): Promise<void> {
    const [alpha, beta] = this.victims;
    const knows = async (one: Victim, other: Victim) =>
      (await one.transport()).peer_entries.some(({ peer_id }) => peer_id === other.machineId);
    await until(
      'both nodes to be linked',
      async () => ((await knows(alpha, beta)) && (await knows(beta, alpha))) || undefined,
      { budgetMs: START_BUDGET_MS },
    );
  }

  /** Resolves when a direct message and a gossip message from the first have arrived at the second. */
  async prove(text: string): Promise<void> {
    const [alpha, beta] = this.victims;
    const payload = Buffer.from(text);
    const carries = (event: { readonly data: object }) =>
      JSON.stringify(event.data).includes(payload.toString('base64'));
    const stop = new AbortController();
    try {
      const { signal } = stop;
      const topic = `proof/${text}`;
      const direct = firstEvent(await beta.host.node.directEvents({ signal }), carries);
      const gossip = firstEvent(await beta.host.node.events({ signal }), carries);
      await beta.host.node.subscribe(topic);
      const { path } = await alpha.host.node.directSend({ agent_id: beta.agentId, payload });
      if (path !== 'raw_quic_acked') throw new Error(`the direct message went by ${path}`);
      await alpha.host.node.publish(topic, payload);
      await Promise.all([direct, gossip]);
    } finally {
      stop.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mesh.stop();
    await this.#signing.close();
  }
}

/** One event of `events` that fits, within a budget. */
async function firstEvent<T>(events: AsyncIterable<T>, fits: (event: T) => boolean): Promise<T> {
  const late = new AbortController();
  const search = (async () => {
    for await (const event of events) if (fits(event)) return event;
    throw new Error('the stream ended before the event came');
  })();
  const timeout = sleep(10_000, undefined, { signal: late.signal }).then(() => {
    throw new Error('the event did not come within 10 s');
  });
  timeout.catch(() => {}); // also rejects when it is called off below
  try {
    return await Promise.race([search, timeout]);
  } finally {
    late.abort();
  }
}
