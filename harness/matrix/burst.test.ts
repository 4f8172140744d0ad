import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { realClock } from '../../kit/clock.ts';
import type { publishDetailsSchema } from '../../runner/action-schema.ts';
import type { BurstPlan } from '../../scenarios/scenario.ts';
import { runBurst } from './burst.ts';
import type { ControlChannel, RunnerResult } from './control-channel.ts';
import { ControlError } from './control-error.ts';

const PLAN: BurstPlan = {
  publisher: 'a',
  topic: 't',
  messages: 3,
  payloadBytes: 128,
  delayMs: 0,
  settleMs: 20,
};
const AT = { window: 1, scenario: 'fanout_burst', seed: 1 };

type Subscriber = 'whole' | 'partial' | 'refuses' | 'unreadable';

function resultOf(node: string, kind: RunnerResult['kind'], details: RunnerResult['details']): RunnerResult {
  const id = '0'.repeat(64);
  return {
    kind,
    command_id: 'c',
    request_id: null,
    outcome: 'ok',
    details,
    node,
    agent_id: id,
    machine_id: id,
    ts_ms: 0,
    digest_marker: null,
    boot_id: 'b',
    seq: 1,
    results_dropped_total: 0,
    sender: { agent_id: id, machine_id: id, verified: true },
  };
}

function collected(delivered: number) {
  return {
    burst_id: 't',
    topic: 't',
    ended_by: delivered === 3 ? 'complete' : 'stopped',
    expected: 3,
    delivered,
    duplicates: 0,
    corrupted: 0,
    foreign: 0,
    unverified: 0,
    resubscribed: 0,
    latency_ms: { p50: 1, p99: 2, max: 2 },
    missing_seqs: delivered === 3 ? [] : [2],
    collect_ms: 5,
  };
}

type Publisher = z.infer<typeof publishDetailsSchema>;

const PUBLISHED: Publisher = {
  burst_id: 't',
  planned: 3,
  accepted: 3,
  failed: 0,
  failures: {},
  first_error: null,
  last_error: null,
  publish_secs: 0.1,
  late_ms_max: 0,
};

/** Runners as a channel would show them; a partial subscriber answers only once it is told to stop. */
function channelOf(
  subscribers: Readonly<Record<string, Subscriber>>,
  publisher: Publisher | 'fails' = PUBLISHED,
) {
  const stopped = new Map(Object.keys(subscribers).map((node) => [node, Promise.withResolvers<void>()]));
  const stops: string[] = [];
  const channel: Pick<ControlChannel, 'send' | 'call'> = {
    async send(node, action) {
      if (action === 'collect_stop') {
        stops.push(node);
        stopped.get(node)?.resolve();
      }
      return 'c';
    },
    async call(node, action, _params, { onProgress }) {
      if (action === 'publish') {
        if (publisher === 'fails') throw new ControlError('RESULT_TIMEOUT', node, 'no result');
        return resultOf(node, 'publish_result', publisher);
      }
      const kind = subscribers[node];
      if (kind === 'refuses') throw new ControlError('COMMAND_DISPATCH_FAILED', node, 'connection refused');
      onProgress?.(resultOf(node, 'collect_ready', {}));
      if (kind === 'unreadable') return resultOf(node, 'subscribe_collect_result', { delivered: 'many' });
      if (kind === 'partial') await stopped.get(node)?.promise;
      return resultOf(node, 'subscribe_collect_result', collected(kind === 'whole' ? 3 : 2));
    },
  };
  return { channel, stops };
}

function run(subscribers: Readonly<Record<string, Subscriber>>, publisher?: Publisher | 'fails') {
  const { channel, stops } = channelOf(subscribers, publisher);
  const nodes = Object.keys(subscribers);
  const records = runBurst({ nodes, channel, delivered: () => {} }, PLAN, AT, new AbortController().signal);
  return { records, stops };
}

describe('a burst', () => {
  it('records the delivery at every subscriber, the publisher included', async () => {
    const records = await run({ a: 'whole', b: 'whole' }).records;
    expect(records).toMatchObject([
      { type: 'burst_delivery', publisher: 'a', subscriber: 'a', planned: 3, published: 3, delivered: 3 },
      { type: 'burst_delivery', publisher: 'a', subscriber: 'b', planned: 3, published: 3, delivered: 3 },
    ]);
  });

  it('tells from when to when it was listened to, for a judge who knows when a way was lost', async () => {
    const beforeMs = realClock.nowMs();
    const [record] = await run({ a: 'whole' }).records;
    const { from, until } = record?.type === 'burst_delivery' ? (record.span_mono_ms ?? {}) : {};
    const order = [beforeMs, from, until, realClock.nowMs()];
    expect(order).toEqual(order.toSorted((a, b) => Number(a) - Number(b)));
    expect(from).toBeDefined();
  });

  it('ends after the settle time with what a lossy subscriber has by then', async () => {
    const { records, stops } = run({ a: 'whole', b: 'partial' });
    expect((await records)[1]).toMatchObject({ subscriber: 'b', delivered: 2, missing_seqs: [2] });
    expect(stops).toContain('b');
  });

  it('says why messages were never published, and nothing of that when all were', async () => {
    const failed = {
      ...PUBLISHED,
      accepted: 1,
      failed: 2,
      failures: { X: 2 },
      first_error: 'X: no',
      late_ms_max: 7.2,
    };
    const harmed = await run({ a: 'whole' }, failed).records;
    expect(harmed[0]).toMatchObject({
      published: 1,
      note: '2 of 3 publishes failed, the first with: X: no; calls at most 7 ms behind the pace',
    });
    expect((await run({ a: 'whole' }).records)[0]).not.toHaveProperty('note');
  });

  it.for([
    ['refuses', /COMMAND_DISPATCH_FAILED/],
    ['unreadable', /RUNNER_ACTION_FAILED/],
  ] as const)('records a subscriber that %s as missing, with the reason', async ([kind, why]) => {
    const records = await run({ a: 'whole', b: kind }).records;
    expect(records[1]).toMatchObject({
      type: 'subscriber_missing',
      node: 'b',
      why: expect.stringMatching(why),
    });
  });

  it('fails when the publisher does, and tells the subscribers to stop', async () => {
    const { records, stops } = run({ a: 'whole', b: 'partial' }, 'fails');
    await expect(records).rejects.toThrow(/no result/);
    expect(stops).toEqual(['a', 'b']);
  });
});
