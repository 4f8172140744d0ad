import type { PeerView } from '../proofs/scenario-records.ts';
import { unequalNodes } from './log-equality.ts';
import { reachedAt, secsSince } from './reached.ts';
import type { ScenarioContext } from './scenario.ts';

const POLL_MS = 500;
const VIEW_EVERY_MS = 5_000; // each look is a record per edge

/** Two sides of the fleet: one pair, or a split. */
export interface Sides {
  readonly left: readonly string[];
  readonly right: readonly string[];
}

export interface Healing {
  readonly sides: Sides;
  /** Under way: the clock of recovery starts when the hosts have let go of the cut. */
  readonly healed: Promise<{ readonly endedAtMs: number }>;
  readonly healMs: number;
  readonly log: { readonly topic: string; readonly entries: number };
  /** The bursts published during the cut; they write their own records. */
  readonly bursts: Promise<void>;
  /** How the sides saw each other at the end of the cut. */
  readonly viewsAtHeal: readonly PeerView[];
}

/**
 * Watches a healed mesh until it is whole again or its time is over: links, logs, bursts, and the comparisons of caches
 * between the sides. Ends early when all of them are done.
 */
export async function followHealing(context: ScenarioContext, healing: Healing): Promise<void> {
  const { clock, mesh, fleet, measure } = context;
  const { healed, healMs, sides, log, bursts, viewsAtHeal } = healing;
  // From now on, so that nothing is missed while the heal itself is being measured.
  const wait = { untilMs: clock.nowMs() + healMs, everyMs: POLL_MS };
  const linksBack = reachedAt(context, 'links back', wait, async () => {
    const meshed = await Promise.all(fleet.nodes.map((node) => mesh.isMeshed(node, fleet.nodes)));
    return meshed.every(Boolean);
  });
  const resynced = reachedAt(
    context,
    'logs equal',
    wait,
    async () => (await unequalNodes(context, log)).length === 0,
  );
  const compared = reachedAt(context, 'caches compared', { ...wait, everyMs: VIEW_EVERY_MS }, async () => {
    const grown = growthSince(viewsAtHeal, await viewAcross(context, sides, 'healing'));
    return grown.every(({ rounds }) => rounds !== null && rounds > 0);
  });
  for (const one of [linksBack, resynced, compared]) one.catch(() => {}); // awaited together below
  const { endedAtMs } = await healed;
  const [linksAtMs, syncedAtMs] = await Promise.all([linksBack, resynced, compared, bursts]);
  const late = `not within ${healMs / 1_000} s of the heal`;
  await measure({ name: 'links_back_secs', ...secsSince(endedAtMs, linksAtMs, late) });
  if (log.entries === 0) {
    const why = 'no node took an entry during the cut, so nothing had to be synced';
    await measure({ name: 'resync_secs', value: null, why });
    await measure({ name: 'unsynced_nodes', value: null, why });
  } else {
    const unsynced = await unequalNodes(context, log);
    await measure({ name: 'resync_secs', ...secsSince(endedAtMs, syncedAtMs, late) });
    await measure({
      name: 'unsynced_nodes',
      value: unsynced.length,
      ...(unsynced.length > 0 && { why: unsynced.join('; ') }),
    });
  }
  await measureAntiEntropy(context, viewsAtHeal, await viewAcross(context, sides, 'end'));
}

/** How each side sees the nodes of the other. */
export async function viewAcross({ mesh }: ScenarioContext, { left, right }: Sides, label: string) {
  const views = await Promise.all([
    ...right.map((target) => mesh.viewPeer(target, { observers: left, label })),
    ...left.map((target) => mesh.viewPeer(target, { observers: right, label })),
  ]);
  return views.flat();
}

interface Growth {
  readonly observer: string;
  readonly target: string;
  readonly rounds: number | null;
  readonly repaired: number | null;
  readonly why: string | null;
}

/** Growth of the counters between two looks of the same process. */
function growthSince(before: readonly PeerView[], after: readonly PeerView[]): readonly Growth[] {
  return after.map((now) => {
    const { observer, target } = now;
    const was = before.find((one) => one.observer === observer && one.target === target);
    const unknown = (why: string) => ({ observer, target, rounds: null, repaired: null, why });
    if (was === undefined || was.view === null || now.view === null) {
      return unknown(
        `${observer} could not be read: ${now.unreadable ?? was?.unreadable ?? 'no earlier look'}`,
      );
    }
    if (was.boot_id !== now.boot_id) return unknown(`${observer} restarted`);
    const grown = (key: 'anti_entropy_rounds_total' | 'anti_entropy_repaired_total') => {
      const [from, to] = [was.view?.[key] ?? null, now.view?.[key] ?? null];
      return to === null ? null : to - (from ?? 0);
    };
    const rounds = grown('anti_entropy_rounds_total');
    const why = rounds === null ? `${observer} does not count its comparisons with ${target}` : null;
    return { observer, target, rounds, repaired: grown('anti_entropy_repaired_total'), why };
  });
}

async function measureAntiEntropy(
  { measure }: ScenarioContext,
  before: readonly PeerView[],
  after: readonly PeerView[],
): Promise<void> {
  for (const { observer: node, target: peer, rounds, repaired, why } of growthSince(before, after)) {
    const because = why === null ? {} : { why };
    await measure({ name: 'anti_entropy_rounds', node, peer, value: rounds, ...because });
    await measure({ name: 'anti_entropy_repaired', node, peer, value: repaired, ...because });
  }
}
