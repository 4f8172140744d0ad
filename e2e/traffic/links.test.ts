import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UNTOUCHED } from '../../harness/lab/link-agent/link-figures.ts';
import { loadLinks } from '../../harness/lab/links/load-links.ts';
import type { LocalMesh } from '../../harness/lab/local-mesh.ts';
import { until } from '../../kit/deadline.ts';
import { startLinkedMesh } from '../linked-mesh.ts';

const NAMES = ['nyc', 'sfo', 'helsinki'] as const;
type Name = (typeof NAMES)[number];
/** A dead link is noticed by silence of 30 s and redialled within seconds. */
const NOTICE_BUDGET_MS = 60_000;
const SETUP = 90_000;
const IN_TURN = { concurrent: false };
const signal = () => AbortSignal.timeout(90_000);
const call = () => ({ signal: signal(), timeoutMs: 10_000 });

/** Three real nodes behind the links of six cities, and what a test asks of them. */
class Cities {
  readonly mesh: LocalMesh;
  readonly #machineIds = new Map<string, string>();

  private constructor(mesh: LocalMesh) {
    this.mesh = mesh;
  }

  static async start(): Promise<Cities> {
    const cities = new Cities(await startLinkedMesh(NAMES, await loadLinks('six-cities', NAMES)));
    for (const { name, node } of cities.mesh.hosts) {
      cities.#machineIds.set(name, (await node.agent({ signal: signal() })).machine_id);
    }
    return cities;
  }

  node(name: Name) {
    const host = this.mesh.hosts.find((candidate) => candidate.name === name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host.node;
  }

  async connectivity(name: Name) {
    return (await this.node(name).document('connectivity', call())).body;
  }

  async row(at: Name, peer: Name) {
    const { per_peer_transport: rows } = await this.connectivity(at);
    return rows.find(({ peer_id }) => peer_id === this.#machineIds.get(peer));
  }

  async isLinked(at: Name, peer: Name): Promise<boolean> {
    const { peers } = await this.node(at).peers(call());
    return peers.some(({ id }) => id === this.#machineIds.get(peer));
  }

  cut(at: Name, peers: readonly Name[], flows: 'live' | 'all' = 'all') {
    const spec = { kind: 'cut', at, peers, largerThanBytes: null } as const;
    return this.mesh.faults.apply(
      { id: `cut.${at}`, ttlMs: 120_000, spec: flows === 'live' ? { ...spec, flows } : spec },
      signal(),
    );
  }

  async heal(): Promise<void> {
    await Promise.all(NAMES.map((name) => this.mesh.faults.revert(name, [`cut.${name}`], signal())));
    await this.#becomesWhole();
  }

  async restart(name: Name): Promise<void> {
    const { boot_id: before } = await this.node(name).health({ signal: signal() });
    await this.mesh.faults.restart(name, 'node', signal());
    await eventually('another process', async () => {
      const health = await this.node(name)
        .health({ signal: signal() })
        .catch(() => undefined); // not listening yet
      return health !== undefined && health.boot_id !== before;
    });
    await this.#becomesWhole();
  }

  #becomesWhole(): Promise<true> {
    return eventually('the whole mesh', async () =>
      (await Promise.all(NAMES.map((name) => this.connectivity(name)))).every(
        ({ connections }) => connections.connected_peers === NAMES.length - 1,
      ),
    );
  }
}

const eventually = (what: string, holds: () => Promise<boolean>) =>
  until(what, async () => ((await holds()) ? (true as const) : undefined), {
    budgetMs: NOTICE_BUDGET_MS,
    everyMs: 200,
  });

// Side by side, each test after the one before in its own mesh: noticing that a link is dead takes half a minute.
describe.concurrent('a mesh of real nodes behind links', { timeout: 120_000 }, () => {
  describe('whose links differ', () => {
    let cities: Cities;
    beforeAll(async () => {
      cities = await Cities.start();
    }, SETUP);
    afterAll(() => cities?.mesh.stop());

    it('forms with each node in its place, and every packet goes through a link', IN_TURN, async () => {
      expect(cities.mesh.hosts.map(({ region }) => region)).toEqual(NAMES);
      const counters = await cities.mesh.links?.counters(signal());
      expect(counters?.links.map(({ delivered }) => delivered > 0)).toEqual(Array(6).fill(true));
    });

    it(
      'has the round trips that the links set, as probes and as the nodes themselves measure them',
      IN_TURN,
      async () => {
        for (const [a, b, leastMs] of [
          ['nyc', 'sfo', 68],
          ['sfo', 'helsinki', 166],
        ] as const) {
          const { rttMs } = await cities.mesh.faults.probe(a, b, 5, signal());
          expect(rttMs).toBeGreaterThan(leastMs);
          // Smoothed over handshakes on a busy machine: only its floor is certain.
          expect((await cities.row(a, b))?.rtt_ms).toBeGreaterThan(leastMs);
        }
      },
    );

    it('feels a link changed while running', IN_TURN, async () => {
      const figures = { ...UNTOUCHED, latencyMs: 400 };
      await cities.mesh.links?.set([{ from: 'nyc', to: 'sfo', figures }], signal());
      await eventually('a longer round trip', async () => {
        await cities.node('nyc').publish('traffic', Buffer.from('to measure by'), { signal: signal() });
        return ((await cities.row('nyc', 'sfo'))?.rtt_ms ?? 0) > 150;
      });
      expect((await cities.mesh.faults.probe('nyc', 'sfo', 3, signal())).rttMs).toBeGreaterThan(400);
    });

    it(
      'loses a link that is cut one way, makes a new one where a NAT forgot the old one, and keeps the third',
      IN_TURN,
      async () => {
        const before = await cities.row('sfo', 'helsinki');
        await cities.cut('nyc', ['helsinki']);
        await cities.cut('sfo', ['helsinki'], 'live');
        expect(await cities.mesh.faults.probe('helsinki', 'nyc', 3, signal())).toMatchObject({ answered: 0 });
        expect(await cities.mesh.faults.probe('helsinki', 'sfo', 3, signal())).toMatchObject({ answered: 3 });
        await Promise.all([
          eventually('the end of the link', async () => !(await cities.isLinked('nyc', 'helsinki'))),
          eventually('another connection', async () => {
            const row = await cities.row('sfo', 'helsinki');
            return row?.connected === true && row.generation !== before?.generation;
          }),
        ]);
        for (const name of ['nyc', 'sfo'] as const) {
          expect(await cities.mesh.faults.matchedPackets(name, `cut.${name}`, signal())).toBeGreaterThan(0);
        }
        expect(await cities.isLinked('nyc', 'sfo')).toBe(true);
        await cities.heal();
      },
    );
  });

  describe('that are all cut', () => {
    let cities: Cities;
    beforeAll(async () => {
      cities = await Cities.start();
    }, SETUP);
    afterAll(() => cities?.mesh.stop());

    it('falls apart, since nobody knows a way round, and rises again', IN_TURN, async () => {
      const connections = () => Promise.all(NAMES.map((name) => cities.connectivity(name)));
      await Promise.all(
        NAMES.map((name) =>
          cities.cut(
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
      expect((await cities.mesh.links?.counters(signal()))?.foreign_datagrams).toBe(0);
      await cities.heal();
    });

    it('takes a restarted node back at its old addresses', IN_TURN, () => cities.restart('sfo'));
  });
});
