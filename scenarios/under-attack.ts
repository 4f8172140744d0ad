import type { PairOutcome } from '../proofs/evidence.ts';
import { isSeen } from '../proofs/observation.ts';
import { attackSigns, strangersLinked } from './attack-signs.ts';
import { deliveredRatio, pairsAmong, SEND_SETTLE_MS } from './delivery.ts';
import { HonestWatch } from './honest-watch.ts';
import { watchMemory } from './memory-watch.ts';
import type { NodeInside } from './mesh-access.ts';
import type { OutsiderKind, OutsiderReport } from './outsiders.ts';
import { reachedAt } from './reached.ts';
import type { ScenarioContext } from './scenario.ts';

/** A link whose other end is gone without a word is down after 30 s of silence. */
const LEAVE_BUDGET_MS = 45_000;
/** For a node that does not answer, such as one that is down. */
const SILENT_NODE_BUDGET_MS = 10_000;
const POLL_MS = 500;

/** Outsiders that come together. */
interface Wave {
  readonly label: string;
  readonly kinds: readonly OutsiderKind[];
}

export interface AttackPlan {
  readonly waves: readonly Wave[];
  readonly attackMs: number;
  /** Sent through the mesh during each wave. */
  readonly burst: {
    readonly messages: number;
    readonly payloadBytes: number;
    readonly delayMs: number;
    readonly settleMs: number;
  };
}

type Looks = ReadonlyMap<string, NodeInside | string>;

/** Carries out the waves one after the other, the whole mesh at work meanwhile, and measures what its nodes made of it. */
export async function underAttack(
  context: ScenarioContext,
  scenario: string,
  plan: AttackPlan,
): Promise<void> {
  const { fleet, record, window } = context;
  const why = 'outsiders attack it';
  for (const node of fleet.nodes) await record({ type: 'target_declared', window, scenario, node, why });
  const honest = new HonestWatch(context);
  await using memory = await watchMemory(context, (node, inside) => honest.look(node, inside));
  for (const wave of plan.waves) await attackOnce(context, plan, wave);
  await measureLeft(context);
  await memory.measure();
  await honest.measure();
}

async function attackOnce(context: ScenarioContext, plan: AttackPlan, wave: Wave): Promise<void> {
  const { fleet, outsiders, matrix, clock, measure, random, signal, window } = context;
  const { label, kinds } = wave;
  const before = await inspectAll(context);
  const startedMs = clock.nowMs();
  const joined = await outsiders.join({ kinds, targets: fleet.nodes, seed: random.int(0, 0x7fff_fffe) });
  let reports: Awaited<ReturnType<typeof joined.report>>;
  let outcomes: readonly PairOutcome[];
  let after: Looks;
  try {
    const pairs = pairsAmong(fleet.nodes);
    const topic = `meshproof.attack.w${window}.${random.int(0, 0x7fff_fffe).toString(16)}`;
    await clock.sleep(plan.attackMs / 4, signal); // for the attack to be under way
    [outcomes] = await Promise.all([
      matrix.send(pairs, { settleMs: SEND_SETTLE_MS, label }),
      matrix.burst({ publisher: fleet.anchor, topic, ...plan.burst }),
    ]);
    await clock.sleep(Math.max(0, startedMs + plan.attackMs - clock.nowMs()), signal);
    reports = await joined.report();
    after = await inspectAll(context);
  } finally {
    await joined[Symbol.asyncDispose]();
  }
  await measure({ name: 'delivered_ratio', why: label, ...deliveredRatio(outcomes) });
  for (const kind of new Set(kinds)) {
    const { attempts, did } = deedsOf(reports, kind);
    const from = `from ${joined.place}: ${did}`;
    await measure({ name: 'attempts', value: attempts, why: `${kind} ${from}` });
    for (const node of fleet.nodes) {
      const noticed = noticedBy(context, node, kind, before, after);
      // A firewall in their way looks as if nobody had noticed them.
      const why = noticed.value === 0 ? `${noticed.why}, of outsiders ${from}` : noticed.why;
      await measure({ name: 'noticed', node, value: noticed.value, why });
    }
  }
}

function deedsOf(reports: readonly OutsiderReport[], kind: OutsiderKind) {
  const own = reports.filter((report) => report.kind === kind);
  const sum = (key: 'dialled' | 'handshakes' | 'refused' | 'framesSent' | 'closedByPeer') =>
    own.reduce((total, report) => total + report[key], 0);
  const refusals = [...new Set(own.flatMap(({ lastRefusal }) => lastRefusal ?? []))];
  const did = [
    `${sum('dialled')} dials`,
    `${sum('handshakes')} links`,
    `${sum('refused')} refused${refusals.length === 0 ? '' : ` (${refusals.join(', ')})`}`,
    `${sum('framesSent')} frames`,
    `${sum('closedByPeer')} closed by nodes`,
  ].join(', ');
  return { attempts: sum('dialled') + sum('framesSent'), did };
}

function noticedBy(
  { mesh, fleet }: ScenarioContext,
  node: string,
  kind: OutsiderKind,
  before: Looks,
  after: Looks,
): { readonly value: number | null; readonly why: string } {
  const [from, to] = [before.get(node), after.get(node)];
  if (from === undefined || to === undefined || typeof from === 'string' || typeof to === 'string') {
    const why = [from, to].find((look) => typeof look === 'string') ?? `${node} was not read`;
    return { value: null, why: String(why) };
  }
  if (from.epoch.boot_id !== to.epoch.boot_id) return { value: null, why: `${node} restarted under attack` };
  const members = new Set(fleet.nodes.map((name) => mesh.identityOf(name).machineId));
  const signs = attackSigns(kind, from, to, members);
  const value = Object.values(signs).reduce((total, grown) => total + grown, 0);
  const why = Object.entries(signs).map(([counter, grown]) => `${counter} ${grown}`);
  return { value, why: `${kind}: ${why.join(', ')}` };
}

/** Waits for the links of those who left to go, and says which did not. */
async function measureLeft(context: ScenarioContext): Promise<void> {
  const { mesh, fleet, clock, measure } = context;
  const members = new Set(fleet.nodes.map((name) => mesh.identityOf(name).machineId));
  const look = async () => {
    const looks = await inspectAll(context);
    return fleet.nodes.map((node) => {
      const inside = looks.get(node);
      if (inside === undefined || typeof inside === 'string')
        return { node, value: null, why: inside ?? 'not read' };
      return { node, value: strangersLinked(inside, members).length };
    });
  };
  const leftMs = clock.nowMs();
  let figures: Awaited<ReturnType<typeof look>> = [];
  await reachedAt(
    context,
    'the links of outsiders to go',
    { untilMs: leftMs + LEAVE_BUDGET_MS, everyMs: POLL_MS },
    async () => {
      figures = await look();
      const isOverdue = clock.nowMs() >= leftMs + SILENT_NODE_BUDGET_MS;
      return figures.every(({ value }) => value === 0 || (value === null && isOverdue));
    },
  );
  for (const figure of figures) await measure({ name: 'strangers_left', ...figure });
}

async function inspectAll({ mesh, fleet }: ScenarioContext): Promise<Looks> {
  const looks = fleet.nodes.map(async (node) => {
    const look = await mesh.inspect(node);
    return [node, isSeen(look) ? look.seen : look.why] as const;
  });
  return new Map(await Promise.all(looks));
}
