import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureBundle } from '../harness/deploy/bundle.ts';
import type { MeshHost } from '../harness/fleet/mesh-host.ts';
import { waitForMesh } from '../harness/fleet/mesh-ready.ts';
import { UNTOUCHED } from '../harness/lab/link-agent/link-figures.ts';
import { LocalMesh } from '../harness/lab/local-mesh.ts';
import { createOperatorKey } from '../harness/matrix/operator-key.ts';
import { createSigning } from '../kit/create-signing.ts';
import { until } from '../kit/deadline.ts';

// What one bad moment of a peer, or a flood, may cost the others: four real nodes, one of which sits behind 1 Mbit/s.

const NAMES = ['nyc', 'sfo', 'far', 'gone'] as const;
type Name = (typeof NAMES)[number];
/** 256 KiB, which is what gossip may have under way to a peer, take two seconds. */
const NARROW = { ...UNTOUCHED, latencyMs: 20, rateKbit: 1_000, queueBytes: 32_768 };
const START_BUDGET_MS = 60_000;
const signal = () => AbortSignal.timeout(60_000);

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

/** Calls `what` every `everyMs`, whatever becomes of the calls before, until it is stopped; gives what they came to. */
function atPace<T>(everyMs: number, what: (nth: number) => Promise<T>) {
  const calls: Promise<T>[] = [];
  const startMs = performance.now();
  const timer = setInterval(() => {
    while (calls.length * everyMs <= performance.now() - startMs) calls.push(what(calls.length));
  }, everyMs);
  return {
    calls,
    async stop(): Promise<readonly T[]> {
      clearInterval(timer);
      return await Promise.all(calls);
    },
  };
}

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

it('direct messages and critical topics pass a flood of bulk that fills the line, each within 2 s', async () => {
  const [near, far] = [hostOf('nyc').node, hostOf('far').node];
  const topic = 'meshproof.discover.loaded';
  const heard = new Set<string>();
  const events = await far.events({ signal: signal() });
  void (async () => {
    for await (const event of events) if (event.event === 'message') heard.add(event.data.data.payload);
  })().catch(() => {}); // the stream ends with its client
  await far.subscribe(topic);
  const refused = async () => (await stagesOf('nyc')).admission.dropped_bulk_backpressure;
  const before = await refused();
  const isFull = async () => (await refused()) > before + 200 || undefined;
  const timed = async (from: Name, to: Name, nth: number) => {
    const startMs = performance.now();
    const payload = Buffer.from(`${from} ${nth}`);
    await hostOf(from).node.directSend({ agent_id: idsOf(to).agent, payload });
    return performance.now() - startMs;
  };
  const payloadOf = (nth: number) => Buffer.from(`critical ${nth}`);
  const flood = atPace(2, () => near.publish('meshproof.bulk.flood', new Uint8Array(1_024)));
  try {
    await until('the line to be full', isFull, { budgetMs: 20_000 });
    const sends = atPace(100, async (nth) => {
      await near.publish(topic, payloadOf(nth));
      return await Promise.all([timed('nyc', 'far', nth), timed('far', 'nyc', nth)]);
    });
    await until('25 of each', () => sends.calls.length >= 25 || undefined, { budgetMs: 20_000 });
    const took = await sends.stop();
    expect(Math.max(...took.flat())).toBeLessThan(2_000);
    const isThere = (_: unknown, nth: number) => heard.has(payloadOf(nth).toString('base64'));
    await until('every critical message', () => took.every(isThere) || undefined, { budgetMs: 10_000 });
  } finally {
    await flood.stop();
  }
});
