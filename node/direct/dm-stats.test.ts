import { expect, test } from 'vitest';
import { dmDocumentSchema } from '../api/schema/dm.ts';
import { DmStats } from './dm-stats.ts';

const live = { nowMs: 0, connectedPeers: 0, subscribers: 0, subscriberCapacity: 8_192, expiredTotal: 0 };
const agent = (n: number) => n.toString(16).padStart(64, '0');

test('an empty document is valid and knows no peers', () => {
  expect(dmDocumentSchema.parse(new DmStats().document(live)).per_peer).toEqual({});
});

test('sends add up, by outcome and by path', () => {
  const stats = new DmStats();
  for (let at = 0; at < 5; at += 1) stats.sendStarted();
  stats.sendSucceeded(agent(1), 'raw_quic_acked', 80, 10);
  stats.sendSucceeded(agent(1), 'raw_quic_acked', 160, 20);
  stats.sendSucceeded(agent(2), 'loopback', 1, 20);
  stats.sendFailed(agent(3), 30);
  stats.received(agent(1), 40);
  const document = dmDocumentSchema.parse(stats.document({ ...live, nowMs: 50 }));
  expect(document.stats).toMatchObject({
    outgoing_send_total: 5, // one of them still in flight
    outgoing_send_succeeded: 3,
    outgoing_send_failed: 1,
    outgoing_path_loopback: 1,
    outgoing_path_raw_quic: 2,
  });
  expect(document.per_peer[agent(1)]).toEqual({
    avg_rtt_ms: 90,
    last_send_ms_ago: 30,
    last_recv_ms_ago: 10,
    send_succeeded: 2,
    send_failed: 0,
    recv_count: 1,
    preferred_path: 'raw_quic_acked',
  });
  expect(document.per_peer[agent(3)]).toMatchObject({
    avg_rtt_ms: null,
    last_recv_ms_ago: null,
    preferred_path: null,
  });
});

test('rows of peers are bounded, the longest unused go first, and none outlives a day without use', () => {
  const stats = new DmStats();
  for (let at = 1; at <= 5_000; at += 1) stats.received(agent(at), at);
  const rows = Object.keys(stats.document({ ...live, nowMs: 5_000 }).per_peer);
  expect(rows).toHaveLength(1_024);
  expect(rows).toContain(agent(5_000));
  expect(stats.document({ ...live, nowMs: 5_000 + 24 * 3_600_000 }).per_peer).toEqual({});
});

test('the older name of the evicted events shows the same figure', () => {
  const stats = new DmStats();
  stats.count('subscriber_events_evicted', 7);
  expect(stats.document(live).stats).toMatchObject({
    subscriber_events_evicted: 7,
    subscriber_channel_lagged: 7,
  });
});
