import { describe, expect, it } from 'vitest';
import { FakeTransport, fakeLink, OWN_MACHINE } from '../api/fake-rooms.ts';
import { connectivityDocumentSchema } from '../api/schema/connectivity.ts';
import { transportDocumentSchema } from '../api/schema/transport.ts';
import type { LinkStats } from '../transport/transport.ts';
import { connectivityDocument } from './connectivity.ts';
import { transportDocument } from './transport.ts';
import { transportEnvironment } from './transport-environment.ts';

const PROOFS = {
  sentTotal: 4,
  provenTotal: 1,
  unansweredTotal: 2,
  inconclusiveTotal: 1,
  linksClosedTotal: 0,
};
const SELF = { peerId: OWN_MACHINE, uptimeSecs: 12.7 };

function linkStats(name: string, known: Partial<LinkStats> = {}): LinkStats {
  return {
    link: fakeLink(name),
    rttMs: null,
    congestionWindowBytes: null,
    sentPackets: 0,
    lostPackets: 0,
    lostBytes: 0,
    sentBytes: 0,
    receivedBytes: 0,
    sentDatagrams: 0,
    receivedDatagrams: 0,
    mtuBytes: null,
    lastSentAgoMs: null,
    lastReceivedAgoMs: null,
    queuedBytes: 0,
    sendCapacityBytes: null,
    ...known,
  };
}
function statsOf(links: readonly LinkStats[]) {
  const transport = new FakeTransport();
  transport.statsOverride = { links, openConnections: links.length };
  return transport.stats();
}

describe('the connectivity document', () => {
  it('gives null, and not 0, for what nobody measured', () => {
    const document = connectivityDocumentSchema.parse(connectivityDocument(statsOf([linkStats('a')]), SELF));
    expect(document.avg_rtt_ms).toBeNull();
    expect(document.per_peer_transport[0]).toMatchObject({
      connected: true,
      rtt_ms: null,
      packet_loss_rate: null,
      idle_for_ms: null,
      congestion_events: null,
      data_blocked_events: null,
    });
  });

  it('gives loss as a share of what was sent, idleness as the shorter silence, and the mean round trip', () => {
    const measured = linkStats('a', {
      rttMs: 10,
      sentPackets: 200,
      lostPackets: 50,
      lastSentAgoMs: 900,
      lastReceivedAgoMs: 400,
      mtuBytes: 1_350,
    });
    const document = connectivityDocumentSchema.parse(
      connectivityDocument(statsOf([measured, linkStats('b', { rttMs: 30 })]), SELF),
    );
    expect(document.avg_rtt_ms).toBe(20);
    expect(document.uptime_s).toBe(12);
    expect(document.per_peer_transport[0]).toMatchObject({ packet_loss_rate: 0.25, idle_for_ms: 400 });
    expect(document.connections).toMatchObject({ connected_peers: 2, direct: 2, relayed: 0 });
  });

  it('has no local address while the socket is not bound', () => {
    expect(connectivityDocument({ ...statsOf([]), boundAddress: null }, SELF).local_addr).toBeNull();
  });
});

describe('the transport document', () => {
  it('tells of each path what QUIC knows, and null of what it does not', () => {
    const known = { rttMs: 40, congestionWindowBytes: 13_500, sendCapacityBytes: 900, lostPackets: 3 };
    const stats = statsOf([linkStats('a', { ...known, queuedBytes: 7 }), linkStats('b')]);
    const { transport } = transportDocumentSchema.parse(transportDocument(stats, PROOFS, []));
    expect(transport.paths).toMatchObject([
      {
        peer_id: fakeLink('a').peerId,
        rtt_ms: 40,
        congestion_window_bytes: 13_500,
        send_capacity_bytes: 900,
        in_flight_bytes: null,
        queued_bytes: 7,
        lost_packets: 3,
      },
      { rtt_ms: null, congestion_window_bytes: null, send_capacity_bytes: null, lost_packets: 0 },
    ]);
  });
});

describe('the transport environment', () => {
  it.each([
    [[], { degraded: false, constrained_mtu: null, mtu_critical: null, min_observed_mtu: null }],
    [
      [null, 1_350],
      { degraded: false, constrained_mtu: false, mtu_critical: false, min_observed_mtu: 1_350 },
    ],
    [
      [1_400, 1_220],
      { degraded: false, constrained_mtu: true, mtu_critical: false, min_observed_mtu: 1_220 },
    ],
    [[1_100], { degraded: true, constrained_mtu: true, mtu_critical: true, min_observed_mtu: 1_100 }],
  ])('judges path MTUs %j', (mtus, expected) => {
    expect(transportEnvironment(mtus)).toMatchObject(expected);
  });
});

it('counts configured peers as connected when a live link goes to their address', () => {
  const known = [
    { host: '127.0.0.1', port: 4_000 },
    { host: '127.0.0.1', port: 4_001 },
  ];
  const { transport } = transportDocumentSchema.parse(
    transportDocument(statsOf([linkStats('a')]), PROOFS, known),
  );
  expect(transport).toMatchObject({
    connected_bootstrap_nodes: 1,
    total_bootstrap_nodes: 2,
    active_connections: 1,
  });
  expect(transport.quic_open_connections).toBe(transport.reader_handle_count);
  expect(transport.link_proofs).toMatchObject({ sent_total: 4, unanswered_total: 2 });
});
