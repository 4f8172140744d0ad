import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureBundle } from '../harness/deploy/bundle.ts';
import { waitForMesh } from '../harness/fleet/mesh-ready.ts';
import { UNTOUCHED } from '../harness/lab/link-agent/link-figures.ts';
import { loadLinks } from '../harness/lab/links/load-links.ts';
import { LocalMesh } from '../harness/lab/local-mesh.ts';
import { createOperatorKey } from '../harness/matrix/operator-key.ts';
import { createSigning } from '../kit/create-signing.ts';
import { until } from '../kit/deadline.ts';

const NAMES = ['nyc', 'sfo', 'helsinki'] as const;
type Name = (typeof NAMES)[number];
const START_BUDGET_MS = 60_000;
/** A dead link is noticed by silence of 30 s and redialled within seconds. */
const NOTICE_BUDGET_MS = 60_000;
const signal = () => AbortSignal.timeout(90_000);

let mesh: LocalMesh;
const machineIds = new Map<string, string>();

beforeAll(async () => {
  const signing = await createSigning();
  const operator = await createOperatorKey(signing);
  await signing.close();
  mesh = await LocalMesh.start(
    {
      names: NAMES,
      anchor: 'nyc',
      bundle: await ensureBundle(),
      networkId: 'links',
      operatorKeys: [operator.publicKeyBase64],
      basePort: undefined,
      links: await loadLinks('six-cities', NAMES),
    },
    signal(),
  );
  await waitForMesh(mesh.hosts, { budgetMs: START_BUDGET_MS, signal: signal() });
  for (const { name, node } of mesh.hosts) {
    machineIds.set(name, (await node.agent({ signal: signal() })).machine_id);
  }
}, START_BUDGET_MS + 30_000);
afterAll(() => mesh?.stop());

function hostOf(name: Name) {
  const host = mesh.hosts.find((candidate) => candidate.name === name);
  if (host === undefined) throw new Error(`no host ${name}`);
  return host;
}

async function connectivityOf(name: Name) {
  return (await hostOf(name).node.document('connectivity', { signal: signal(), timeoutMs: 10_000 })).body;
}

async function rowOf(at: Name, peer: Name) {
  const { per_peer_transport: rows } = await connectivityOf(at);
  return rows.find(({ peer_id }) => peer_id === machineIds.get(peer));
}

async function isLinked(at: Name, peer: Name): Promise<boolean> {
  const { peers } = await hostOf(at).node.peers({ signal: signal(), timeoutMs: 10_000 });
  return peers.some(({ id }) => id === machineIds.get(peer));
}

const eventually = (what: string, holds: () => Promise<boolean>) =>
  until(what, async () => ((await holds()) ? true : undefined), { budgetMs: NOTICE_BUDGET_MS, everyMs: 200 });

const cut = (at: Name, peers: readonly Name[]) =>
  mesh.faults.apply(
    { id: `cut.${at}`, ttlMs: 120_000, spec: { kind: 'cut', at, peers, largerThanBytes: null } },
    signal(),
  );
const heal = () => Promise.all(NAMES.map((name) => mesh.faults.revert(name, [`cut.${name}`], signal())));
const isWhole = async () =>
  (await Promise.all(NAMES.map((name) => connectivityOf(name)))).every(
    ({ connections }) => connections.connected_peers === NAMES.length - 1,
  );

describe('a mesh of real nodes behind links', () => {
  it('forms with each node in its place, and every packet goes through a link', async () => {
    expect(mesh.hosts.map(({ region }) => region)).toEqual(NAMES);
    const counters = await mesh.links?.counters(signal());
    expect(counters?.links.map(({ delivered }) => delivered > 0)).toEqual(Array(6).fill(true));
  });

  it('has the round trips that the links set, as probes and as the nodes themselves measure them', async () => {
    for (const [a, b, leastMs] of [
      ['nyc', 'sfo', 68],
      ['sfo', 'helsinki', 166],
    ] as const) {
      const { rttMs } = await mesh.faults.probe(a, b, 5, signal());
      expect(rttMs).toBeGreaterThan(leastMs);
      // Smoothed over handshakes on a busy machine: only its floor is certain.
      expect((await rowOf(a, b))?.rtt_ms).toBeGreaterThan(leastMs);
    }
  });

  it('feels a link changed while running', async () => {
    const figures = { ...UNTOUCHED, latencyMs: 400 };
    await mesh.links?.set([{ from: 'nyc', to: 'sfo', figures }], signal());
    await eventually('a longer round trip', async () => ((await rowOf('nyc', 'sfo'))?.rtt_ms ?? 0) > 150);
    expect((await mesh.faults.probe('nyc', 'sfo', 3, signal())).rttMs).toBeGreaterThan(400);
  });

  // Both at once: noticing that a link is dead takes the nodes half a minute each time.
  it('loses a link that is cut one way, makes a new one where a NAT forgot the old one, and keeps the third', async () => {
    const before = await rowOf('sfo', 'helsinki');
    await cut('nyc', ['helsinki']);
    const forgets = {
      kind: 'cut',
      at: 'sfo',
      peers: ['helsinki'],
      largerThanBytes: null,
      flows: 'live',
    } as const;
    await mesh.faults.apply({ id: 'cut.sfo', ttlMs: 120_000, spec: forgets }, signal());
    expect(await mesh.faults.probe('helsinki', 'nyc', 3, signal())).toMatchObject({ answered: 0 });
    expect(await mesh.faults.probe('helsinki', 'sfo', 3, signal())).toMatchObject({ answered: 3 });
    await Promise.all([
      eventually('the end of the link', async () => !(await isLinked('nyc', 'helsinki'))),
      eventually('another connection', async () => {
        const row = await rowOf('sfo', 'helsinki');
        return row?.connected === true && row.generation !== before?.generation;
      }),
    ]);
    for (const name of ['nyc', 'sfo'] as const) {
      expect(await mesh.faults.matchedPackets(name, `cut.${name}`, signal())).toBeGreaterThan(0);
    }
    expect(await isLinked('nyc', 'sfo')).toBe(true);
    await heal();
    await eventually('the whole mesh', isWhole);
  });

  it('falls apart when every link is cut, since nobody knows a way round, and rises again', async () => {
    const connections = () => Promise.all(NAMES.map(connectivityOf));
    await Promise.all(
      NAMES.map((name) =>
        cut(
          name,
          NAMES.filter((other) => other !== name),
        ),
      ),
    );
    await eventually('no link at all', async () =>
      (await connections()).every((node) => node.connections.connected_peers === 0),
    );
    const failed = (await connections()).map((node) => node.connection_pool.establish_failures_total);
    await eventually('two failed dials to each of the others', async () =>
      (await connections()).every(
        (node, index) => node.connection_pool.establish_failures_total >= (failed[index] ?? 0) + 4,
      ),
    );
    expect((await connections()).map((node) => node.connections.connected_peers)).toEqual([0, 0, 0]);
    // Nor did anybody try an address that is another's.
    expect((await mesh.links?.counters(signal()))?.foreign_datagrams).toBe(0);
    await heal();
    await eventually('the whole mesh', isWhole);
  });

  it('takes a restarted node back at its old addresses', async () => {
    const { boot_id: before } = await hostOf('sfo').node.health({ signal: signal() });
    await mesh.faults.restart('sfo', 'node', signal());
    await eventually('another process', async () => {
      const health = await hostOf('sfo')
        .node.health({ signal: signal() })
        .catch(() => undefined); // not listening yet
      return health !== undefined && health.boot_id !== before;
    });
    await eventually('the whole mesh', isWhole);
  });
});
