import { describe, expect, it } from 'vitest';
import { realClock } from '../../kit/clock.ts';
import { sha256Hex } from '../../kit/hash.ts';
import { sendDmParamsSchema } from '../../runner/action-schema.ts';
import type { ControlChannel, RunnerResult } from './control-channel.ts';
import { runPhaseA } from './phase-a.ts';

const ID = { a: 'a'.repeat(64), b: 'b'.repeat(64) };
const IDENTITIES = new Map(Object.entries(ID).map(([node, id]) => [node, { agentId: id, machineId: id }]));
const PLAN = { pairs: [['a', 'b']] as [string, string][], expect_path: 'raw_quic_acked', anchor: 'a' };

/** A runner pair that works, and delivers the message again `doubleAfterMs` later. */
function channelOf(attempts: number, latencyMs: number, doubleAfterMs: number): ControlChannel {
  const listeners = new Set<(result: RunnerResult) => void>();
  const tell = (part: Partial<RunnerResult>) => {
    const result = { outcome: 'ok', command_id: 'c', ...part } as RunnerResult; // what Phase A looks at
    for (const listener of listeners) listener(result);
  };
  return {
    async send(_node, _action, params) {
      const { request_id, payload_b64 } = sendDmParamsSchema.parse(params);
      const payload_sha256 = sha256Hex(Buffer.from(payload_b64, 'base64'));
      const receipt = (nth: number) =>
        tell({
          kind: 'received_dm',
          node: 'b',
          request_id,
          details: {
            sender: ID.a,
            machine_id: ID.a,
            verified: true,
            trust_decision: null,
            bytes: 1,
            via: 'direct',
            payload_sha256,
            receipt: nth,
            received_at_ms: 0,
          },
        });
      receipt(1);
      tell({
        kind: 'send_result',
        node: 'a',
        request_id,
        details: {
          path: 'raw_quic_acked',
          retries_used: attempts - 1,
          runner_attempts: 1,
          attempts,
          remote_request_id: null,
          receipt: null,
          wall_clock_ms: latencyMs,
          recipient_aid: ID.b,
          payload_sha256,
          http_status: null,
          error: null,
          error_code: null,
        },
      });
      setTimeout(() => receipt(2), doubleAfterMs);
      return 'c';
    },
    onResult(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    call: () => Promise.reject(new Error('not used')),
    tally: () => new Map(),
    close: async () => {},
  };
}

async function run(channel: ControlChannel, settleMs = 5_000) {
  const startedMs = realClock.nowMs();
  let lists = 0;
  const delivered = (pairs: () => readonly unknown[]) => {
    if (lists === 0) pairs();
    lists += 1;
  };
  const [outcome] = await runPhaseA(
    { plan: PLAN, identities: IDENTITIES, channel, delivered },
    { window: 1, scenario: 'baseline', settleMs },
    AbortSignal.timeout(30_000),
  );
  return { outcome, startedMs, tookMs: realClock.nowMs() - startedMs };
}

describe('Phase A', () => {
  it('sees a double that comes right after the last receipt', async () => {
    const { outcome } = await run(channelOf(1, 3, 20));
    expect(outcome).toMatchObject({ duplicates: 1, failure: { class: 'duplicated' } });
  });

  it.for([
    ['tried twice', 2, 3],
    ['answered late', 1, 1_500],
  ] as const)('waits longer for the double of a message that was %s', async ([, attempts, latencyMs]) => {
    const { outcome } = await run(channelOf(attempts, latencyMs, 250));
    expect(outcome).toMatchObject({ duplicates: 1, failure: { class: 'duplicated' } });
  });

  it('tells when it listened to a pair', async () => {
    const { outcome, startedMs, tookMs } = await run(channelOf(1, 3, 60_000), 60);
    const { from = 0, until = 0 } = outcome?.span_mono_ms ?? {};
    expect(from).toBeGreaterThanOrEqual(startedMs);
    expect(until).toBeGreaterThan(from);
    expect(until).toBeLessThanOrEqual(startedMs + tookMs);
  });

  it('does not listen on beyond its settle time', async () => {
    const { outcome } = await run(channelOf(2, 3, 250), 60);
    expect(outcome).toMatchObject({ duplicates: 0, failure: null });
  });
});
