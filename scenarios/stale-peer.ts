import * as z from 'zod';
import { isSeen } from '../proofs/observation.ts';
import { deliveredRatio, pairsAmong, SEND_SETTLE_MS } from './delivery.ts';
import { reachedAt, secsSince } from './reached.ts';
import { BURST_MAX_MS, BURST_PUBLISH_SLACK_MS, type ScenarioContext, scenario } from './scenario.ts';
import { TARGET_FLAG, targetOf } from './target-node.ts';

const SCENARIO = 'stale_peer';
const POLL_MS = 500;
const MESSAGE_BYTES = 1_024;
/** Of the pause, so that what was published in it has arrived before its end. */
const PUBLISHED_SHARE = 0.7;
/** Links end after 30 s of silence; a pause shorter than that is no staleness. */
const SHORTEST_PAUSE_SECS = 35;

/** Stops one node's process for longer than links live, lets it go on, and times its way back. */
export const stalePeer = scenario({
  name: SCENARIO,
  summary:
    'one node paused until its links are dead, then resumed; the rest must not feel it, it must come back',
  destructive: 'pause',
  options: z
    .strictObject({
      target: z.string().min(1).optional().describe('the paused node; the last one when left out'),
      pause_secs: z.number().min(SHORTEST_PAUSE_SECS).max(3_600).default(60),
      recover_secs: z.number().min(1).max(3_600).default(90).describe('after which it counts as lost'),
      messages: z
        .int()
        .min(1)
        .max(10_000)
        .default(60)
        .describe('published to the others during the pause, and to all after it'),
    })
    .refine(
      ({ pause_secs, recover_secs }) =>
        (pause_secs + recover_secs) * 1_000 + BURST_PUBLISH_SLACK_MS <= BURST_MAX_MS,
      { path: ['pause_secs'], message: 'expected pause_secs and recover_secs of less than an hour together' },
    ),
  flags: [
    TARGET_FLAG,
    {
      flag: 'pause-secs',
      option: 'pause_secs',
      describe: 'how long the node is paused (default 60)',
      takes: { number: 'any', low: SHORTEST_PAUSE_SECS, high: 3_600 },
    },
    {
      flag: 'recover-secs',
      option: 'recover_secs',
      describe: 'time for it to come back (default 90)',
      takes: { number: 'any', low: 1, high: 3_600 },
    },
  ],
  plannedFaults: (fleet, { target }) => [{ kind: 'pause', node: targetOf(fleet, target) }],
  async run(context, options) {
    const { faults, fleet, matrix, measure, clock, signal, mesh } = context;
    const target = targetOf(fleet, options.target);
    const others = fleet.nodes.filter((node) => node !== target);
    const view = (label: string) => mesh.viewPeer(target, { observers: others, label });
    const burst = { publisher: fleet.anchor, messages: options.messages, payloadBytes: MESSAGE_BYTES };
    const topic = topicOf(context);

    await view('start');
    const pausedFromMs = clock.nowMs();
    await using pause = await faults.pause(target);
    const pauseMs = options.pause_secs * 1_000;
    const endsMs = clock.nowMs() + pauseMs;
    const downs = followDowns(context, { target, others, fromMs: pausedFromMs, untilMs: endsMs });
    const published = matrix.burst({
      ...burst,
      topic: `${topic}.paused`,
      delayMs: (pauseMs * PUBLISHED_SHARE) / options.messages,
      settleMs: pauseMs * (1 - PUBLISHED_SHARE),
      subscribers: others,
    });
    for (const work of [downs, published]) work.catch(() => {}); // awaited below
    await clock.sleep(pauseMs / 2, signal);
    const beside = await matrix.send(pairsAmong(others), {
      settleMs: SEND_SETTLE_MS,
      label: 'beside the paused node',
    });
    await measure({ name: 'delivered_beside_ratio', ...deliveredRatio(beside) });
    await Promise.all([downs, published]);
    await clock.sleep(endsMs - clock.nowMs(), signal);
    await view('paused');

    const resumed = pause.revert();
    resumed.catch(() => {}); // awaited at once
    await followReturn(context, { target, others, resumed, recoverMs: options.recover_secs * 1_000 });
    await view('end');
    await matrix.burst({
      ...burst,
      topic: `${topic}.resumed`,
      delayMs: 50,
      settleMs: options.recover_secs * 1_000,
    });
  },
});

function topicOf({ random, window }: ScenarioContext): string {
  return `meshproof.stale.w${window}.${random.int(0, 0x7fff_fffe).toString(16)}`;
}

interface Paused {
  readonly target: string;
  readonly others: readonly string[];
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Times when each observer gives the paused node up. One that cannot be read has not. */
async function followDowns(
  context: ScenarioContext,
  { target, others, fromMs, untilMs }: Paused,
): Promise<void> {
  const { mesh, measure } = context;
  const { machineId } = mesh.identityOf(target);
  const isGivenUp = async (observer: string) => {
    const look = await mesh.look(observer);
    if (!isSeen(look)) return false;
    const rows = look.seen.connectivity.per_peer_transport;
    return !rows.some(({ peer_id: id, connected }) => connected && machineId.startsWith(id));
  };
  const downAt = await Promise.all(
    others.map((observer) =>
      reachedAt(context, `${observer} without a link to ${target}`, { untilMs, everyMs: POLL_MS }, () =>
        isGivenUp(observer),
      ),
    ),
  );
  for (const [index, node] of others.entries()) {
    const late = `not before the end of the pause`;
    await measure({
      name: 'marked_down_secs',
      node,
      peer: target,
      ...secsSince(fromMs, downAt[index] ?? null, late),
    });
  }
  const never = others.filter((_, index) => downAt[index] === null);
  const why = never.length === 0 ? {} : { why: `${never.join(', ')} kept a link to ${target}` };
  await measure({ name: 'never_marked_down', value: never.length, ...why });
}

interface Returning {
  readonly target: string;
  readonly others: readonly string[];
  readonly resumed: Promise<{ readonly endedAtMs: number }>;
  readonly recoverMs: number;
}

/** Times the way back: linked to all, as all of them see it, then a message each way with every other node. */
async function followReturn(
  context: ScenarioContext,
  { target, others, resumed, recoverMs }: Returning,
): Promise<void> {
  const { mesh, matrix, measure, fleet, clock } = context;
  // What its hosts still measure after letting go of it counts towards its recovery.
  const askedMs = clock.nowMs();
  const untilMs = askedMs + recoverMs;
  const meshed = reachedAt(context, `${target} back`, { untilMs, everyMs: POLL_MS }, async () =>
    (await Promise.all(fleet.nodes.map((node) => mesh.isMeshed(node, fleet.nodes)))).every(Boolean),
  );
  meshed.catch(() => {}); // awaited at once
  const { endedAtMs } = await resumed;
  const meshedMs = await meshed;
  const both = others.flatMap((other) => [[target, other] as const, [other, target] as const]);
  let failed = 'it was not linked to all';
  const deliveringMs =
    meshedMs === null
      ? null
      : await reachedAt(context, `${target} delivering`, { untilMs, everyMs: POLL_MS }, async () => {
          const outcomes = await matrix.send(both, { settleMs: SEND_SETTLE_MS, label: 'after the pause' });
          failed = deliveredRatio(outcomes).why ?? '';
          return failed === '';
        });
  const late = `not within ${recoverMs / 1_000} s of its resumption`;
  await measure({ name: 'meshed_secs', ...secsSince(endedAtMs, meshedMs, late) });
  await measure({ name: 'delivering_secs', ...secsSince(endedAtMs, deliveringMs, `${late}: ${failed}`) });
  const isBack = deliveringMs !== null;
  const why = isBack ? {} : { why: `${target} did not deliver again: ${failed}` };
  await measure({ name: 'unrecovered', value: isBack ? 0 : 1, ...why });
}
