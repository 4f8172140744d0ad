import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { until, withinBudget } from '../kit/deadline.ts';
import type { Order, PeerReport } from './gossip-peer.ts';

// Six processes, everyone subscribed, 4 KiB messages, signatures verified on every node: ours with ML-DSA-65 against
// js-libp2p's gossipsub (StrictSign, Ed25519) over TCP and over QUIC, at the same offered rate, in one run.

const PEERS = 6;
const PAYLOAD_BYTES = 4_096;
const SECONDS = 10;
const WARM_UP_SECONDS = 5; // the same for everyone: what is measured is a node that runs, not one that starts
const DRAIN_BUDGET_MS = 20_000;
const ORDER_BUDGET_MS = 60_000;

interface System {
  readonly name: string;
  readonly peer: string;
  /** A folder with a package.json of its own, installed on demand. */
  readonly installs: string | null;
}

const SYSTEMS: readonly System[] = [
  { name: 'meshproof', peer: 'meshproof-peer.ts', installs: null },
  { name: 'libp2p TCP', peer: 'rivals/libp2p-tcp/peer.mjs', installs: 'rivals/libp2p-tcp' },
  { name: 'libp2p QUIC', peer: 'rivals/libp2p-quic/peer.mjs', installs: 'rivals/libp2p-quic' },
];

const LOADS = [
  { name: 'one publisher, 60 messages/s', rates: [60, 0, 0, 0, 0, 0] },
  { name: 'six publishers, 10 messages/s each', rates: [10, 10, 10, 10, 10, 10] },
] as const;

/** A peer process and the channel to it. */
class Peer {
  readonly child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #nextId = 1;
  #end: Error | undefined;
  readonly address: Promise<unknown>;

  constructor(file: string) {
    this.child = fork(file, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.address = withinBudget(`the start of ${file}`, ORDER_BUDGET_MS, () => this.#expect(0));
    this.child.on('message', (message: { id: number; answer?: unknown; error?: string }) => {
      const waiter = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error === undefined) waiter?.resolve(message.answer);
      else waiter?.reject(new Error(message.error));
    });
    const ended = (why: string) => {
      this.#end ??= new Error(`${file} ${why}`);
      for (const waiter of this.#waiting.values()) waiter.reject(this.#end);
    };
    this.child.on('exit', (code, signal) => ended(`ended with ${signal ?? code}`));
    this.child.on('error', (error) => ended(`cannot be spoken to: ${error.message}`));
  }

  order(order: Order): Promise<unknown> {
    const id = this.#nextId;
    this.#nextId += 1;
    return withinBudget(`order ${order.order}`, ORDER_BUDGET_MS, () => {
      const answer = this.#expect(id);
      if (this.#end === undefined) this.child.send({ id, ...order });
      return answer;
    });
  }

  #expect(id: number): Promise<unknown> {
    const waiter = Promise.withResolvers<unknown>();
    if (this.#end !== undefined) waiter.reject(this.#end);
    else this.#waiting.set(id, waiter);
    return waiter.promise;
  }
}

interface Figures {
  readonly deliveredShare: number;
  readonly deliveriesPerCpuSecond: number;
  readonly cpuMsPerDelivery: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Runs the benchmark and prints its table. */
export async function run(): Promise<void> {
  const results = new Map<string, Figures>();
  for (const system of SYSTEMS) {
    install(system);
    for (const load of LOADS) results.set(`${system.name}/${load.name}`, await measure(system, load.rates));
  }
  for (const load of LOADS) {
    console.log(`\ngossip: ${PEERS} processes, ${PAYLOAD_BYTES} B, ${load.name}, ${SECONDS} s`);
    const ours = results.get(`meshproof/${load.name}`);
    for (const { name } of SYSTEMS) {
      const figures = results.get(`${name}/${load.name}`);
      if (!figures || !ours) continue;
      const ratio = ours.deliveriesPerCpuSecond / figures.deliveriesPerCpuSecond;
      console.log(
        `  ${name.padEnd(12)} delivered ${(figures.deliveredShare * 100).toFixed(1).padStart(5)} %   ` +
          `${figures.deliveriesPerCpuSecond.toFixed(0).padStart(6)} deliveries/CPU-s   ` +
          `${figures.cpuMsPerDelivery.toFixed(2)} ms CPU/delivery   ` +
          `p50 ${figures.p50Ms.toFixed(1)} ms  p99 ${figures.p99Ms.toFixed(1)} ms` +
          (name === 'meshproof' ? '' : `   meshproof is ${ratio.toFixed(1)} times as good per CPU-second`),
      );
    }
  }
}

async function measure(system: System, rates: readonly number[]): Promise<Figures> {
  const peers = Array.from({ length: PEERS }, () => new Peer(join(import.meta.dirname, system.peer)));
  try {
    const addresses = (await Promise.all(peers.map((peer) => peer.address))).map(String);
    await Promise.all(
      peers.map((peer, index) => peer.order({ order: 'connect', addresses: addresses.slice(index + 1) })),
    );
    await until(
      'everyone to know everyone',
      async () => {
        const links = await Promise.all(peers.map((peer) => peer.order({ order: 'links' })));
        return links.every((count) => count === PEERS - 1) ? true : undefined;
      },
      { budgetMs: 30_000, everyMs: 200 },
    );
    await load(peers, rates, WARM_UP_SECONDS);
    return figuresOf(await load(peers, rates, SECONDS));
  } finally {
    await Promise.allSettled(peers.map((peer) => peer.order({ order: 'stop' })));
    for (const { child } of peers) child.kill('SIGKILL');
  }
}

/** Offers the load and gives what every peer reports once all deliveries are in, or no more come. */
async function load(
  peers: readonly Peer[],
  rates: readonly number[],
  seconds: number,
): Promise<readonly PeerReport[]> {
  await Promise.all(peers.map((peer) => peer.order({ order: 'report' })));
  await Promise.all(
    peers.map((peer, index) =>
      peer.order({ order: 'publish', perSecond: rates[index] ?? 0, seconds, payloadBytes: PAYLOAD_BYTES }),
    ),
  );
  const expected = rates.reduce((sum, rate) => sum + Math.round(rate * seconds), 0) * PEERS;
  const totals: PeerReport[] = peers.map(() => ({
    published: 0,
    failed: 0,
    delivered: 0,
    cpuMs: 0,
    latenciesMs: [],
  }));
  const deadlineMs = performance.now() + DRAIN_BUDGET_MS;
  for (;;) {
    for (const [index, peer] of peers.entries()) {
      const report = (await peer.order({ order: 'report' })) as PeerReport;
      const total = totals[index];
      if (!total) continue;
      totals[index] = {
        published: total.published + report.published,
        failed: total.failed + report.failed,
        delivered: total.delivered + report.delivered,
        cpuMs: total.cpuMs + report.cpuMs,
        latenciesMs: total.latenciesMs.concat(report.latenciesMs),
      };
    }
    const delivered = totals.reduce((sum, total) => sum + total.delivered, 0);
    if (delivered >= expected || performance.now() > deadlineMs) return totals;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function figuresOf(reports: readonly PeerReport[]): Figures {
  const sum = (pick: (report: PeerReport) => number) =>
    reports.reduce((total, report) => total + pick(report), 0);
  const delivered = sum((report) => report.delivered);
  const cpuMs = sum((report) => report.cpuMs);
  const latencies = reports.flatMap((report) => report.latenciesMs).toSorted((a, b) => a - b);
  const quantile = (share: number) => latencies[Math.floor((latencies.length - 1) * share)] ?? Number.NaN;
  return {
    deliveredShare: delivered / (sum((report) => report.published) * PEERS),
    deliveriesPerCpuSecond: delivered / (cpuMs / 1_000),
    cpuMsPerDelivery: cpuMs / delivered,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  };
}

function install({ installs }: System): void {
  if (installs === null) return;
  const home = join(import.meta.dirname, installs);
  if (existsSync(join(home, 'node_modules'))) return;
  console.log(`installing ${installs}…`);
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: home,
    stdio: 'inherit',
  });
  if (result.status !== 0) throw new Error(`npm ci failed in ${home}`);
}
