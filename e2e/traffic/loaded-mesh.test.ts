import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureBundle } from '../../harness/deploy/bundle.ts';
import type { MeshHost } from '../../harness/fleet/mesh-host.ts';
import { waitForMesh } from '../../harness/fleet/mesh-ready.ts';
import { UNTOUCHED } from '../../harness/lab/link-agent/link-figures.ts';
import { LocalMesh } from '../../harness/lab/local-mesh.ts';
import { createOperatorKey } from '../../harness/matrix/operator-key.ts';
import { createSigning } from '../../kit/create-signing.ts';
import { until } from '../../kit/deadline.ts';

// What one bad moment of a peer, or a flood, may cost the others: four real nodes, one of which sits behind 1 Mbit/s.

const NAMES = ['nyc', 'sfo', 'far', 'gone'] as const;
type Name = (typeof NAMES)[number];
const NARROW = { ...UNTOUCHED, latencyMs: 20, rateKbit: 1_000, queueBytes: 32_768 };
/** What gossip may have under way to a peer, 256 KiB, takes the narrow line two seconds. */
const BACKLOG_MS = (262_144 * 8) / NARROW.rateKbit;
const ROUNDS = 15;
const START_BUDGET_MS = 60_000;
const signal = () => AbortSignal.timeout(120_000);

let mesh: LocalMesh;
const pids = new Map<string, number>();
const ids = new Map<string, { readonly agent: string; readonly machine: string }>();

beforeAll(async () => {
  const signing = await createSigning();
  const operator = await createOperatorKey(signing);
  await signing.close();
  mesh = await LocalMesh.start(
    {
      names: NAMES,
      anchor: 'nyc',
      bundle: await ensureBundle(),
      networkId: 'loaded',
      operatorKeys: [operator.publicKeyBase64],
      basePort: undefined,
      links: {
        name: 'one far node',
        regions: new Map(),
        figuresOf: (from, to) => ([from, to].includes('far') ? NARROW : UNTOUCHED),
      },
      onProcessStart: (node, role, pid) => {
        if (role === 'node') pids.set(node, pid);
      },
    },
    signal(),
  );
  await waitForMesh(mesh.hosts, { budgetMs: START_BUDGET_MS, signal: signal() });
  for (const { name, node } of mesh.hosts) {
    const { agent_id: agent, machine_id: machine } = await node.agent();
    ids.set(name, { agent, machine });
  }
}, START_BUDGET_MS + 30_000);
afterAll(() => mesh?.stop());

function hostOf(name: Name): MeshHost {
  const host = mesh.hosts.find((candidate) => candidate.name === name);
  if (host === undefined) throw new Error(`no host ${name}`);
  return host;
}

const idsOf = (name: Name) => ids.get(name) ?? { agent: '', machine: '' };

function signalNode(name: Name, kind: NodeJS.Signals): void {
  const pid = pids.get(name);
  if (pid === undefined) throw new Error(`${name} has no process`);
  process.kill(pid, kind);
}

const stagesOf = async (name: Name) => (await hostOf(name).node.document('gossip')).body.pubsub_stages;

/** Calls `what` every `everyMs` at most, whatever becomes of the calls before, until it is stopped. */
function atPace(everyMs: number, what: (nth: number) => Promise<unknown>) {
  const calls: Promise<unknown>[] = [];
  const timer = setInterval(() => calls.push(what(calls.length)), everyMs);
  return {
    async stop(): Promise<void> {
      clearInterval(timer);
      await Promise.all(calls);
    },
  };
}

const medianOf = (times: readonly number[]) => times.toSorted((a, b) => a - b)[times.length >> 1];

async function msOf(work: Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work;
  return performance.now() - startMs;
}

// One after the other, so that a moment in which the machine stands still is in one round only; hence the median.
it('direct messages and critical topics pass a flood of bulk that fills the line: they never wait for its backlog', async () => {
  const [near, far] = [hostOf('nyc').node, hostOf('far').node];
  const topic = 'meshproof.discover.loaded';
  const heard = new Set<string>();
  const events = await far.events({ signal: signal() });
  void (async () => {
    for await (const event of events) if (event.event === 'message') heard.add(event.data.data.payload);
  })().catch(() => {}); // the stream ends with its client
  await far.subscribe(topic);
  const refused = async () => (await stagesOf('nyc')).admission.dropped_bulk_backpressure;
  const isAbove = (count: number) => async () => (await refused()) > count || undefined;
  const sendDirect = (from: Name, to: Name, nth: number) =>
    hostOf(from).node.directSend({ agent_id: idsOf(to).agent, payload: Buffer.from(`${from} ${nth}`) });
  const sendCritical = async (nth: number) => {
    const payload = Buffer.from(`critical ${nth}`);
    await near.publish(topic, payload);
    const isThere = () => heard.has(payload.toString('base64')) || undefined;
    await until(`critical message ${nth}`, isThere, { budgetMs: 20_000, everyMs: 5 });
  };
  const before = await refused();
  const flood = atPace(2, (nth) => near.publish(`meshproof.bulk.${nth % 100}`, new Uint8Array(1_024)));
  try {
    await until('the line to be full', isAbove(before + 200), { budgetMs: 30_000 });
    const took = { critical: [] as number[], there: [] as number[], back: [] as number[] };
    for (let nth = 0; nth < ROUNDS; nth += 1) {
      await Promise.all([
        msOf(sendCritical(nth)).then((ms) => took.critical.push(ms)),
        msOf(sendDirect('nyc', 'far', nth)).then((ms) => took.there.push(ms)),
        msOf(sendDirect('far', 'nyc', nth)).then((ms) => took.back.push(ms)),
      ]);
      await until('bulk to be refused still', isAbove(await refused()), { budgetMs: 10_000, everyMs: 5 });
    }
    for (const [way, times] of Object.entries(took))
      expect(medianOf(times), `${way}: ${times.map(Math.round)} ms`).toBeLessThan(BACKLOG_MS / 2);
  } finally {
    await flood.stop();
  }
});

it('a node that was killed is left alone by all others within seconds, long before its links time out', async () => {
  signalNode('gone', 'SIGKILL');
  const { machine } = idsOf('gone');
  const others = NAMES.filter((name) => name !== 'gone');
  const letsItRest = async (name: Name) =>
    (await stagesOf(name)).suppressed_peers.some(({ peer_id }) => peer_id === machine);
  const traffic = atPace(100, (nth) =>
    hostOf(others[nth % others.length] ?? 'nyc').node.publish('news', Buffer.from(`${nth}`)),
  );
  try {
    const allDo = async () => (await Promise.all(others.map(letsItRest))).every(Boolean) || undefined;
    await until('all of them to let it rest', allDo, { budgetMs: 15_000, everyMs: 100 });
  } finally {
    await traffic.stop();
  }
});
