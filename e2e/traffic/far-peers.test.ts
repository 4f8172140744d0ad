import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MeshHost } from '../../harness/fleet/mesh-host.ts';
import { UNTOUCHED } from '../../harness/lab/link-agent/link-figures.ts';
import type { LinkPlan } from '../../harness/lab/links/link-plan.ts';
import type { LocalMesh } from '../../harness/lab/local-mesh.ts';
import { realClock } from '../../kit/clock.ts';
import { startLinkedMesh } from '../linked-mesh.ts';
import { isLongForm } from '../long-form.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
/** Honest nodes that are far away by a bad path. */
const FAR = ['e', 'f'];
const WATCH_SECS = isLongForm ? 600 : 20;
const PUBLISH_EVERY_MS = 500;
const START_BUDGET_MS = 90_000;
/** Both directions of every link that has a far end: half a second there and back. */
const PLAN: LinkPlan = {
  name: 'two far peers',
  regions: new Map(),
  figuresOf: (from, to) =>
    FAR.includes(from) || FAR.includes(to)
      ? { ...UNTOUCHED, latencyMs: 250, jitterMs: 30, lossRatio: 0.005 }
      : UNTOUCHED,
};

let mesh: LocalMesh;
const signal = AbortSignal.timeout(START_BUDGET_MS + (WATCH_SECS + 60) * 1_000);

beforeAll(async () => {
  mesh = await startLinkedMesh(NAMES, PLAN);
}, START_BUDGET_MS);
afterAll(() => mesh?.stop());

async function stagesOf({ node }: MeshHost) {
  return (await node.document('gossip', { signal, timeoutMs: 10_000 })).body.pubsub_stages;
}

/** Publishes from one near and one far node until the time is over. */
async function publishFor(ms: number): Promise<number> {
  const untilMs = realClock.nowMs() + ms;
  const publishers = mesh.hosts.filter(({ name }) => name === 'a' || name === 'e');
  let published = 0;
  while (realClock.nowMs() < untilMs) {
    const payload = Buffer.alloc(1_024, `${published}`);
    await Promise.all(publishers.map(({ node }) => node.publish('far', payload, { signal })));
    published += publishers.length;
    await realClock.sleep(PUBLISH_EVERY_MS, signal);
  }
  return published;
}

describe('two honest peers at 250 ± 30 ms each way with 0.5 % loss', () => {
  it(`are not cooled by anybody in ${WATCH_SECS} s of traffic, nor cool anybody`, {
    timeout: (WATCH_SECS + 60) * 1_000,
  }, async () => {
    const published = await publishFor(WATCH_SECS * 1_000);
    const told = await Promise.all(
      mesh.hosts.map(async (host) => {
        const { peer_scores: rows, suppressed_peers: suppressed } = await stagesOf(host);
        const own = rows.filter(({ topic }) => topic === 'far');
        expect(own, `${host.name} knows a row for each of the others`).toHaveLength(NAMES.length - 1);
        return own.map((row) => ({
          at: host.name,
          peer: row.peer_id.slice(0, 8),
          cooled: row.cooling_events,
          timeouts: row.outbound_send_timeouts,
          suppressed: suppressed.length,
        }));
      }),
    );
    const rows = told.flat();
    const summary = JSON.stringify(rows.filter(({ timeouts, cooled }) => timeouts + cooled > 0));
    expect(published).toBeGreaterThan(WATCH_SECS);
    expect(
      rows.filter(({ cooled, suppressed }) => cooled + suppressed > 0),
      summary,
    ).toEqual([]);
  });
});
