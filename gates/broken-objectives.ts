import type { PairOutcome } from '../proofs/evidence.ts';
import type { FixtureOverrides } from '../proofs/fixture.ts';
import { healthyRestart } from '../proofs/fixture-faults.ts';
import { brokenHarms, brokenStrictHarms } from './broken-harms.ts';
import { brokenPartitions, slowHealing } from './broken-partitions.ts';
import { brokenServices } from './broken-services.ts';
import { added, changed, figureFrom, type Planted, restarted } from './planted-defects.ts';

/** Test-only: one planted defect for each objective of the shipped gates. */

const PUBSUB = 'gossip.dispatcher.pubsub';

function spoiled(change: Partial<PairOutcome>): FixtureOverrides {
  return changed(
    'pair_outcome',
    ({ window, from }) => window === 2 && from === 'ams',
    (record) => ({ ...record, ...change }),
  );
}

function spoiledBurst(change: {
  delivered?: number;
  duplicates?: number;
  corrupted?: number;
}): FixtureOverrides {
  return changed(
    'burst_delivery',
    ({ window, subscriber }) => window === 1 && subscriber === 'nyc',
    (record) => ({ ...record, ...change }),
  );
}

const rows = (count: number) => Array.from({ length: count }, () => ({}));

/** The plan with a restart scenario in one window: six readings per node, the last of them after the restart. */
function storm(afterMs: number | null): FixtureOverrides {
  const at = { window: 1, scenario: 'restart_storm', node: 'nyc' } as const;
  return {
    windows: 1,
    scenarios: ['baseline', 'fanout_burst', 'restart_storm'],
    ...restarted('nyc', 6),
    ...added(1, ...healthyRestart({ window: 1, scenario: 'restart_storm' }, 'f1', 'nyc'), {
      type: 'node_recovered',
      ...at,
      after_ms: afterMs,
    }),
  };
}

const everywhere: readonly Planted[] = [
  {
    objective: 'every planned pair delivered',
    defect: spoiled({
      accepted: false,
      acked: false,
      attempts: null,
      path: null,
      failure: { class: 'send_no_result', detail: 'command accepted, no receipt within 8000 ms' },
    }),
    reason: /ams→nyc: command accepted, no receipt within 8000 ms \(send_no_result\)/,
    twin: spoiled({ latency_ms: 7_900 }),
  },
  {
    objective: 'every pair on the expected path',
    defect: spoiled({ path: 'gossip_inbox', acked: false }),
    reason: /ams→nyc: path gossip_inbox, expected raw_quic_acked/,
  },
  {
    objective: 'every sender verified',
    defect: spoiled({ sender_verified: false }),
    reason: /ams→nyc: the sender was not the planned one/,
  },
  {
    objective: 'no corrupted payload',
    defect: spoiled({ received: false, received_sha256: 'ab'.repeat(32) }),
    reason: /ams→nyc: payload arrived as abababababab/,
    also: ['every planned pair delivered'],
  },
  {
    objective: 'no duplicate delivery',
    defect: spoiled({ duplicates: 2 }),
    reason: /ams→nyc: 2 duplicate reports/,
  },
  {
    objective: 'no corrupted burst message',
    defect: spoiledBurst({ corrupted: 1 }),
    reason: /ams⇒nyc: 1 corrupted/,
  },
  {
    objective: 'no duplicate burst message',
    defect: spoiledBurst({ duplicates: 3 }),
    reason: /ams⇒nyc: 3 duplicates/,
  },
  {
    objective: 'no receive drops',
    defect: figureFrom('nyc', 2, 'gossip.recv_pump.pubsub.dropped_full', 1),
    reason: /nyc: 1, limit at most 0 \(window 1 baseline\)/,
    twin: figureFrom('nyc', 1, 'gossip.recv_pump.pubsub.dropped_full', 40),
    also: ['no receive drops over the soak'],
  },
  {
    objective: 'no receive drops over the soak',
    defect: figureFrom('nyc', 5, 'gossip.recv_pump.pubsub.dropped_full', 7),
    reason: /soak: nyc: 7, limit at most 0/,
    twin: figureFrom('nyc', 1, 'gossip.recv_pump.pubsub.dropped_full', 40),
  },
  {
    objective: 'no critical frame dropped',
    defect: figureFrom('ams', 4, 'gossip.pubsub_stages.admission.dropped_critical_hard_error', 2),
    reason: /ams: 2, limit at most 0 \(window 1 fanout_burst\)/,
  },
  {
    objective: 'no unhandled error',
    defect: figureFrom('nyc', 8, 'runtime.unhandled_errors_total', 1),
    reason: /no unhandled error: nyc: 1, limit at most 0 \(window 2 fanout_burst\)/,
    twin: figureFrom('nyc', 1, 'runtime.unhandled_errors_total', 5),
  },
  {
    objective: 'every node healthy',
    defect: {
      body: (body, name, { node, step }) =>
        name === 'health' && node === 'nyc' && step === 4
          ? { ...body, status: 'degraded', degraded_reason: 'no live peer after 120 s' }
          : body,
    },
    reason: /nyc is degraded: no live peer after 120 s; 1, limit at most 0 \(window 1 fanout_burst\)/,
    twin: figureFrom('nyc', 8, 'health.version', '9'),
  },
  {
    objective: 'every planned link up',
    defect: figureFrom('ams', 8, 'connectivity.connections.connected_peers', 0),
    reason: /ams: 0 of 1 peers connected; 1, limit at most 0/,
  },
  {
    objective: 'no subscriber left behind',
    defect: figureFrom('nyc', 4, 'gossip.stats.slow_subscriber_dropped', 3),
    reason: /nyc: 3, limit at most 0 \(window 1 fanout_burst\)/,
    twin: figureFrom('nyc', 1, 'gossip.stats.slow_subscriber_dropped', 3),
  },
  {
    objective: 'no undeclared restart',
    defect: restarted('nyc', 6),
    reason: /nyc restarted 1 times undeclared, first seen in window 2/,
    twin: storm(1_000),
  },
  {
    objective: 'no unexpected process exit',
    defect: added(2, {
      type: 'process_exited',
      node: 'nyc',
      role: 'runner',
      code: null,
      signal: 'SIGKILL',
      expected: false,
      last_words: ['listening'],
    }),
    reason:
      /runner of nyc ended unexpectedly \(signal SIGKILL, last words: listening\) \(window 2\)|runner of nyc ended/,
    twin: added(2, {
      type: 'process_exited',
      node: 'nyc',
      role: 'runner',
      code: 0,
      signal: null,
      expected: true,
      last_words: [],
    }),
  },
  {
    objective: 'restarted nodes recover',
    defect: storm(null),
    reason: /nyc: never recovered; infinity, limit at most/,
    twin: storm(29_000),
  },
  ...brokenPartitions,
];

/** Every objective of the shipped gates that can be broken, with the evidence that breaks it. */
export const brokenObjectives: Readonly<Record<string, readonly Planted[]>> = {
  'limited-production': [
    ...everywhere,
    {
      objective: 'send budgets bounded',
      defect: figureFrom('nyc', 8, 'gossip.pubsub_stages.outbound_budget_exhausted', 201),
      reason: /nyc: 201, limit at most 200/,
      twin: figureFrom('nyc', 8, 'gossip.pubsub_stages.outbound_budget_exhausted', 200),
    },
    {
      objective: 'burst delivered to every subscriber',
      defect: spoiledBurst({ delivered: 197 }),
      reason: /ams⇒nyc: 197 of 200 delivered; 0\.985 \(197 of 200\), limit at least 0\.99/,
      twin: spoiledBurst({ delivered: 198 }),
    },
    {
      objective: 'dispatcher timeouts bounded',
      defect: figureFrom('nyc', 2, `${PUBSUB}.timed_out`, 6),
      reason: /nyc: 6, limit at most 5/,
      twin: figureFrom('nyc', 2, `${PUBSUB}.timed_out`, 5),
    },
    {
      objective: 'per-peer timeouts bounded',
      defect: figureFrom('nyc', 8, 'gossip.pubsub_stages.republish_per_peer_timeout', 215),
      reason: /nyc: 201, limit at most 200/,
      twin: figureFrom('nyc', 8, 'gossip.pubsub_stages.republish_per_peer_timeout', 214),
    },
    {
      objective: 'suppressed peers bounded',
      defect: figureFrom('nyc', 8, 'gossip.pubsub_stages.suppressed_peers', rows(201)),
      reason: /nyc: 201, limit at most 200/,
      twin: figureFrom('nyc', 8, 'gossip.pubsub_stages.suppressed_peers', rows(200)),
    },
    {
      objective: 'restarted nodes recover',
      defect: storm(90_001),
      reason: /nyc: recovered after 90.001 s/,
      twin: storm(90_000),
    },
    ...slowHealing(90),
    ...brokenHarms({
      cooledByRatio: 0.5,
      markedDownSecs: 60,
      meshedSecs: 60,
      deliveringSecs: 90,
      equalSecs: 90,
    }),
    ...brokenServices({ attackRssMib: 512, readerRssMib: 256, backSecs: 90 }),
  ],
  'broad-launch': [
    ...everywhere,
    {
      objective: 'send budgets never exhausted',
      defect: figureFrom('nyc', 8, 'gossip.pubsub_stages.outbound_budget_exhausted', 1),
      reason: /nyc: 1, limit at most 0/,
    },
    {
      objective: 'burst delivered to every subscriber',
      defect: spoiledBurst({ delivered: 199 }),
      reason: /ams⇒nyc: 199 of 200 delivered/,
    },
    {
      objective: 'pairs delivered at the first attempt',
      defect: spoiled({ attempts: 2 }),
      reason: /ams→nyc: needed 2 attempts; 0\.5 \(1 of 2\), limit at least 0\.98/,
    },
    {
      objective: 'no dispatcher timeouts',
      defect: figureFrom('nyc', 2, `${PUBSUB}.timed_out`, 1),
      reason: /no dispatcher timeouts: nyc: 1, limit at most 0/,
      twin: figureFrom('nyc', 1, `${PUBSUB}.timed_out`, 4),
      also: ['no dispatcher timeouts over the soak'],
    },
    {
      objective: 'no dispatcher timeouts over the soak',
      defect: figureFrom('nyc', 5, `${PUBSUB}.timed_out`, 1),
      reason: /over the soak: nyc: 1, limit at most 0/,
    },
    {
      objective: 'per-peer timeouts in proportion',
      defect: figureFrom('nyc', 8, 'gossip.pubsub_stages.republish_per_peer_timeout', 115),
      reason: /nyc: 0\.2525 \(101 of 400\), limit at most 0\.25/,
      twin: figureFrom('nyc', 8, 'gossip.pubsub_stages.republish_per_peer_timeout', 114),
    },
    {
      objective: 'suppressed peers in proportion',
      defect: figureFrom('nyc', 8, 'gossip.pubsub_stages.suppressed_peers', rows(1)),
      reason: /nyc: 1 \(1 of 1\), limit at most 0\.12/,
    },
    {
      objective: 'send queues never saturated',
      defect: figureFrom('ams', 6, 'connectivity.data_tx.data_tx_high_water_count', 1),
      reason: /ams: 1, limit at most 0 \(window 2 baseline\)/,
    },
    {
      objective: 'restarted nodes recover',
      defect: storm(30_001),
      reason: /nyc: recovered after 30.001 s/,
      twin: storm(30_000),
    },
    ...slowHealing(60),
    ...brokenHarms({
      cooledByRatio: 1,
      markedDownSecs: 45,
      meshedSecs: 30,
      deliveringSecs: 60,
      equalSecs: 60,
    }),
    ...brokenStrictHarms,
    ...brokenServices({ attackRssMib: 384, readerRssMib: 192, backSecs: 30 }),
  ],
};
