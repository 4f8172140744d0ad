import * as z from 'zod';
import type { PeerView } from '../proofs/scenario-records.ts';
import { bystanderCoolings, coolingSince, hasCooled } from './cooling-watch.ts';
import { deliveredRatio, pairsAmong, SEND_SETTLE_MS } from './delivery.ts';
import { edgesFrom } from './faults.ts';
import { lookAtAll, sameProcess } from './looks.ts';
import { secsSince } from './reached.ts';
import { BURST_MAX_MS, BURST_PUBLISH_SLACK_MS, type ScenarioContext, scenario } from './scenario.ts';
import { TARGET_FLAG, targetOf } from './target-node.ts';

const SCENARIO = 'high_rtt_peer';
const VIEW_EVERY_MS = 5_000; // each look is a record per observer
const MESSAGE_BYTES = 1_024;
/** An answer within this is ordinary between two continents; a node that rested such a peer would be wrong. */
const SLOW_FROM_MS = 1_000;

/** Delays everything that one node sends while the mesh is publishing: the others must rest it, it alone, and for no longer. */
export const highRttPeer = scenario({
  name: SCENARIO,
  summary: 'one node becomes slow; the others must hold back from it, from nobody else, and take it back',
  destructive: 'netem',
  options: z
    .strictObject({
      target: z.string().min(1).optional().describe('the slow node; the last one when left out'),
      delay_ms: z.number().min(1).max(10_000).default(1_500).describe('of everything that it sends'),
      jitter_ms: z.number().min(0).max(5_000).default(200).describe('standard deviation'),
      window_secs: z.number().min(10).max(3_600).default(180),
      heal_secs: z.number().min(5).max(3_600).default(150),
      messages: z.int().min(1).max(10_000).default(360).describe('published evenly over the window'),
    })
    .refine(
      ({ window_secs, heal_secs }) =>
        (window_secs + heal_secs) * 1_000 + BURST_PUBLISH_SLACK_MS <= BURST_MAX_MS,
      {
        path: ['heal_secs'],
        message: `expected window_secs and heal_secs of ${(BURST_MAX_MS - BURST_PUBLISH_SLACK_MS) / 1_000} s at most together`,
      },
    ),
  flags: [
    TARGET_FLAG,
    {
      flag: 'netem-delay-ms',
      option: 'delay_ms',
      describe: 'delay of what the node sends (default 1500)',
      takes: { number: 'any', low: 1, high: 10_000 },
    },
    {
      flag: 'netem-jitter-ms',
      option: 'jitter_ms',
      describe: 'standard deviation of the delay (default 200)',
      takes: { number: 'any', low: 0, high: 5_000 },
    },
    {
      flag: 'netem-window-secs',
      option: 'window_secs',
      describe: 'how long the node is slow (default 180)',
      takes: { number: 'any', low: 10, high: 3_600 },
    },
    {
      flag: 'heal-secs',
      option: 'heal_secs',
      describe: 'time to be taken back after that (default 150)',
      takes: { number: 'any', low: 5, high: 3_600 },
    },
  ],
  plannedFaults(fleet, { target: named, delay_ms, jitter_ms }) {
    const target = targetOf(fleet, named);
    return [{ kind: 'shape', edges: edgesFrom(target, fleet.nodes), delayMs: delay_ms, jitterMs: jitter_ms }];
  },
  async run(context, options) {
    const { faults, fleet, matrix, measure, clock, signal, mesh } = context;
    const target = targetOf(fleet, options.target);
    const others = fleet.nodes.filter((node) => node !== target);
    const view = (label: string) => mesh.viewPeer(target, { observers: others, label });
    const windowMs = options.window_secs * 1_000;
    const healMs = options.heal_secs * 1_000;

    const looksBefore = await lookAtAll(context);
    const start = await view('start');
    await using slow = await faults.shape({
      edges: edgesFrom(target, others),
      delayMs: options.delay_ms,
      jitterMs: options.jitter_ms,
    });
    const slowFromMs = clock.nowMs();
    const burst = matrix.burst({
      publisher: fleet.anchor,
      topic: topicOf(context),
      messages: options.messages,
      payloadBytes: MESSAGE_BYTES,
      delayMs: windowMs / options.messages,
      settleMs: healMs,
    });
    burst.catch(() => {}); // awaited below

    let firstCooledMs: number | null = null;
    const cooledBy = new Set<string>();
    const follow = async (label: string, untilMs: number) => {
      for (;;) {
        await clock.sleep(Math.min(VIEW_EVERY_MS, untilMs - clock.nowMs()), signal);
        const isLast = clock.nowMs() >= untilMs;
        const now = await view(isLast ? label : 'injecting');
        for (const change of coolingSince(start, now)) {
          if (!hasCooled(change)) continue;
          cooledBy.add(change.observer);
          firstCooledMs ??= clock.nowMs();
        }
        if (isLast) return now;
      }
    };
    await follow('mid', slowFromMs + windowMs / 2);
    const beside = matrix.send(pairsAmong(others), {
      settleMs: SEND_SETTLE_MS,
      label: 'beside the slow node',
    });
    beside.catch(() => {}); // awaited below
    const last = await follow('window_end', slowFromMs + windowMs);
    const besideOutcomes = await beside;
    const healed = slow.revert();
    healed.catch(() => {}); // awaited below
    await measureCooling(context, { target, delayMs: options.delay_ms, start, last, cooledBy });
    await measure({
      name: 'first_cooled_secs',
      ...secsSince(slowFromMs, firstCooledMs, `no observer cooled ${target}`),
    });
    await measure({ name: 'delivered_beside_ratio', ...deliveredRatio(besideOutcomes) });

    const { endedAtMs } = await healed;
    await followDrain(context, { start, view, healedAtMs: endedAtMs, healMs });
    await burst;
    const both = others.flatMap((other) => [[target, other] as const, [other, target] as const]);
    const after = await matrix.send(both, { settleMs: SEND_SETTLE_MS, label: 'after the heal' });
    await measure({ name: 'delivered_after_ratio', ...deliveredRatio(after) });
    const looksAfter = await lookAtAll(context);
    const { machineId } = mesh.identityOf(target);
    for (const node of fleet.nodes) {
      const figure = bystanderCoolings(sameProcess(node, looksBefore, looksAfter), machineId);
      await measure({ name: 'bystander_coolings', node, ...figure });
    }
  },
});

function topicOf({ random, window }: ScenarioContext): string {
  return `meshproof.highrtt.w${window}.${random.int(0, 0x7fff_fffe).toString(16)}`;
}

interface Injected {
  readonly target: string;
  readonly delayMs: number;
  readonly start: readonly PeerView[];
  readonly last: readonly PeerView[];
  /** Observers that were seen to cool it at any look. */
  readonly cooledBy: ReadonlySet<string>;
}

async function measureCooling(
  { measure }: ScenarioContext,
  { target, delayMs, start, last, cooledBy }: Injected,
): Promise<void> {
  const changes = coolingSince(start, last);
  for (const { observer: node, coolings, sendTimeouts, why } of changes) {
    const because = why === null ? {} : { why };
    await measure({ name: 'cooling_events', node, peer: target, value: coolings, ...because });
    await measure({ name: 'send_timeouts', node, peer: target, value: sendTimeouts, ...because });
  }
  const name = 'cooled_by_ratio';
  const idle = changes.filter(({ observer }) => !cooledBy.has(observer));
  const unseen = idle.flatMap(({ why }) => (why === null ? [] : [why]));
  if (delayMs < SLOW_FROM_MS) {
    const why = `${delayMs} ms is no delay that a node has to hold back from; ask for ${SLOW_FROM_MS} ms or more`;
    await measure({ name, value: null, why });
  } else if (unseen.length > 0) {
    await measure({ name, value: null, why: unseen.join('; ') });
  } else {
    const told = idle.map(({ observer }) => observer).join(', ');
    const why = idle.length === 0 ? {} : { why: `${target} was not cooled by ${told}` };
    await measure({ name, value: cooledBy.size / changes.length, ...why });
  }
}

interface Drain {
  readonly start: readonly PeerView[];
  readonly view: (label: string) => Promise<readonly PeerView[]>;
  readonly healedAtMs: number;
  readonly healMs: number;
}

/** Watches until no observer holds back on a topic on which it did not at the start. */
async function followDrain(
  { clock, measure, signal }: ScenarioContext,
  { start, view, healedAtMs, healMs }: Drain,
): Promise<void> {
  const untilMs = healedAtMs + healMs;
  for (;;) {
    const isOver = clock.nowMs() >= untilMs;
    const changes = coolingSince(start, await view(isOver ? 'end' : 'healing'));
    const unread = changes.flatMap(({ why }) => (why === null ? [] : [why]));
    const held = changes.filter(({ newTopics }) => newTopics.length > 0);
    const isDrained = held.length === 0 && unread.length === 0;
    if (isDrained || isOver) {
      const told = held.map(({ observer, newTopics }) => `${observer} on ${newTopics.length} topics`);
      const why = [...told, ...unread].join('; ');
      const drained = secsSince(healedAtMs, isDrained ? clock.nowMs() : null, why);
      await measure({ name: 'drained_secs', ...drained });
      const known = held.length > 0 || unread.length === 0;
      const because = why === '' ? {} : { why };
      await measure({ name: 'undrained_observers', value: known ? held.length : null, ...because });
      if (isDrained && !isOver) await view('end');
      return;
    }
    await clock.sleep(Math.min(VIEW_EVERY_MS, untilMs - clock.nowMs()), signal);
  }
}
