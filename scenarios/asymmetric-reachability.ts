import * as z from 'zod';
import { codeOf, UsageError } from '../kit/errors.ts';
import { isSeen } from '../proofs/observation.ts';
import { deliveredRatio, SEND_SETTLE_MS } from './delivery.ts';
import type { Edge, Faults, HeldFault } from './faults.ts';
import { changedLinks, type Looks, liveLinks, lookAtAll, sameProcess } from './looks.ts';
import { reachedAt, secsSince } from './reached.ts';
import { type PlannedFleet, type ScenarioContext, scenario } from './scenario.ts';

const SCENARIO = 'asymmetric_reachability';
const POLL_MS = 500;
const FLAG = 'half-cut-pair';

/**
 * Drops, in one direction, what is larger than an acknowledgement, and only on connections made before: QUIC stays alive
 * and nothing that matters arrives. The nodes must find that out by themselves, close the link and make another.
 */
export const asymmetricReachability = scenario({
  name: SCENARIO,
  summary: 'a live link that carries only small packets one way; it must be found, closed and made anew',
  destructive: 'partition',
  options: z.strictObject({
    pair: z
      .array(z.string().min(1))
      .length(2)
      .optional()
      .describe('the first one no longer gets through to the second; the last two when left out'),
    larger_than_bytes: z
      .int()
      .min(100)
      .max(1_000)
      .default(300)
      .describe('what passes: acknowledgements and keep-alives'),
    find_secs: z.number().min(10).max(3_600).default(90).describe('after which it counts as not found'),
  }),
  flags: [
    {
      flag: FLAG,
      option: 'pair',
      describe: 'two nodes of which the first no longer gets through to the second (default: the last two)',
      takes: { text: 'nodes' },
    },
    {
      flag: 'find-secs',
      option: 'find_secs',
      describe: 'time to find it and to make another link (default 90)',
      takes: { number: 'any', low: 10, high: 3_600 },
    },
  ],
  plannedFaults(fleet, { pair, larger_than_bytes }) {
    return [{ kind: 'cut', edges: [pairOf(fleet, pair)], largerThanBytes: larger_than_bytes, flows: 'live' }];
  },
  async run(context, options) {
    const { faults, fleet, matrix, measure, clock } = context;
    const [from, to] = pairOf(fleet, options.pair);
    const both: readonly Edge[] = [
      [from, to],
      [to, from],
    ];
    const send = (label: string) => matrix.send(both, { settleMs: SEND_SETTLE_MS, label });
    await measure({ name: 'delivered_before_ratio', ...deliveredRatio(await send('before the cut')) });
    await viewBoth(context, both, 'start');
    const before = await lookAtAll(context);
    const askedMs = clock.nowMs(); // before it takes effect: what the nodes take is not understated
    const halfCut = await cutHalf(faults, [from, to], options.larger_than_bytes);
    await using cut = halfCut.fault;

    const untilMs = askedMs + options.find_secs * 1_000;
    const wait = { untilMs, everyMs: POLL_MS };
    const links = () => Promise.all(both.map((edge) => linkAt(context, edge, before)));
    const closedAtMs = await reachedAt(context, 'the end of the link', wait, async () =>
      (await links()).some((link) => link === 'none' || link === 'new'),
    );
    if (closedAtMs !== null && halfCut.passes === 'nothing') await cut.revert();
    const redialledAtMs =
      closedAtMs === null
        ? null
        : await reachedAt(context, 'another link', wait, async () =>
            (await links()).every((link) => link === 'new'),
          );
    await viewBoth(context, both, redialledAtMs === null ? 'not_replaced' : 'replaced');
    const late = `not within ${options.find_secs} s of the cut`;
    await measure({ name: 'closed_secs', ...secsSince(askedMs, closedAtMs, late) });
    await measure({ name: 'redialled_secs', ...secsSince(askedMs, redialledAtMs, late) });
    await measureRepair(context, [from, to], { closedAtMs, redialledAtMs, last: await links() });
    await measure({
      name: 'delivered_over_new_link_ratio',
      ...deliveredRatio(await send('over the new link')),
    });
    await measureBystanders(context, [from, to], before);
    await viewBoth(context, both, 'end');
  },
});

/** @throws UsageError for nodes that do not fit the fleet */
function pairOf({ anchor, nodes }: PlannedFleet, named: readonly string[] | undefined): Edge {
  const refuse = (why: string) =>
    new UsageError('BAD_FLAG', `--${FLAG}: ${why}`, { details: { flag: `--${FLAG}` } });
  const [from, to] = named ?? nodes.filter((node) => node !== anchor).slice(-2);
  if (from === undefined || to === undefined) throw refuse('expected a fleet of at least three nodes');
  const unknown = [from, to].find((node) => !nodes.includes(node));
  if (unknown !== undefined) throw refuse(`"${unknown}" is not one of ${nodes.join(', ')}`);
  if (from === to) throw refuse(`"${from}" is named twice`);
  if (anchor === from || anchor === to) {
    throw refuse(`"${anchor}" is the anchor, whose links are never harmed one by one`);
  }
  return [from, to];
}

/**
 * Cuts the edge for connections made before; where hosts cannot tell those, for all. Handshakes are large, so that then
 * nothing can be made anew before the cut is lifted.
 */
async function cutHalf(
  faults: Faults,
  edge: Edge,
  largerThanBytes: number,
): Promise<{ readonly fault: HeldFault; readonly passes: 'new connections' | 'nothing' }> {
  const request = { edges: [edge], largerThanBytes };
  try {
    return { fault: await faults.cut({ ...request, flows: 'live' }), passes: 'new connections' };
  } catch (error) {
    if (codeOf(error) !== 'FAULT_UNAVAILABLE') throw error;
    return { fault: await faults.cut(request), passes: 'nothing' };
  }
}

/** Whether the end `at` holds the link of before, another one, or none. */
async function linkAt(
  { mesh }: ScenarioContext,
  [at, peer]: Edge,
  before: Looks,
): Promise<'old' | 'new' | 'none' | 'unknown'> {
  const both = sameProcess(at, before, new Map([[at, await mesh.look(at)]]));
  if (!isSeen(both)) return 'unknown';
  const { machineId } = mesh.identityOf(peer);
  const was = liveLinks(both.seen.was).get(machineId) ?? null;
  const is = liveLinks(both.seen.is).get(machineId);
  if (was === null || is === null) return 'unknown'; // without generations the old link cannot be told from a new one
  if (is === undefined) return 'none';
  return is === was ? 'old' : 'new';
}

async function measureRepair(
  { measure }: ScenarioContext,
  [from, to]: Edge,
  repair: {
    readonly closedAtMs: number | null;
    readonly redialledAtMs: number | null;
    readonly last: readonly string[];
  },
): Promise<void> {
  const { closedAtMs, redialledAtMs, last } = repair;
  const name = 'unrepaired_links';
  if (redialledAtMs !== null) {
    await measure({ name, value: 0 });
  } else if (last.includes('unknown')) {
    const why = `${from} and ${to} do not both tell which link they hold`;
    await measure({ name, value: null, why });
  } else {
    const what = closedAtMs === null ? 'was never closed' : 'was closed and not replaced';
    await measure({ name, value: 1, why: `the link of ${from} and ${to} ${what}` });
  }
}

async function viewBoth({ mesh }: ScenarioContext, both: readonly Edge[], label: string): Promise<void> {
  await Promise.all(both.map(([at, peer]) => mesh.viewPeer(peer, { observers: [at], label })));
}

/** Per node, links other than the harmed one that are not what they were. */
async function measureBystanders(
  context: ScenarioContext,
  pair: readonly string[],
  before: Looks,
): Promise<void> {
  const { fleet, mesh, measure } = context;
  const after = await lookAtAll(context);
  const name = 'bystander_links_lost';
  for (const node of fleet.nodes) {
    const both = sameProcess(node, before, after);
    if (!isSeen(both)) {
      await measure({ name, node, value: null, why: both.why });
      continue;
    }
    const changed = changedLinks(both.seen);
    const lost = fleet.nodes.filter(
      (peer) =>
        changed.includes(mesh.identityOf(peer).machineId) && !(pair.includes(peer) && pair.includes(node)),
    );
    const why = lost.length === 0 ? {} : { why: `${node} has another link to ${lost.join(', ')}, or none` };
    await measure({ name, node, value: lost.length, ...why });
  }
}
