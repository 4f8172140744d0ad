import type { DmDocument } from '../api/schema/dm.ts';
import type { AgentId } from '../transport/transport.ts';

const ROW_LIFETIME_MS = 24 * 3_600_000;
const LEAST_ROW_BOUND = 1_024;
const RTT_WEIGHT = 1 / 8; // smoothing of RFC 6298

type Counters = DmDocument['stats'];
type CountedAlone = Exclude<keyof Counters, `outgoing_${string}` | 'subscriber_channel_lagged'>;
export type SentPath = 'loopback' | 'raw_quic_acked';

interface PeerRow {
  avgRttMs: number | null;
  lastSendMs: number | null;
  lastRecvMs: number | null;
  lastUsedMs: number;
  sendSucceeded: number;
  sendFailed: number;
  recvCount: number;
  preferredPath: SentPath | null;
}

/** Counters since start and one row per agent we dealt with, as `/diagnostics/dm` shows them. Pure. */
export class DmStats {
  readonly #counters: Counters = { ...ZEROES };
  readonly #rows = new Map<AgentId, PeerRow>();

  count(name: CountedAlone, by = 1): void {
    this.#counters[name] += by;
  }

  sendStarted(): void {
    this.#counters.outgoing_send_total += 1;
  }

  sendSucceeded(agentId: AgentId, path: SentPath, latencyMs: number, nowMs: number): void {
    this.#counters.outgoing_send_succeeded += 1;
    this.#counters[path === 'loopback' ? 'outgoing_path_loopback' : 'outgoing_path_raw_quic'] += 1;
    const row = this.#touch(agentId, nowMs);
    row.sendSucceeded += 1;
    row.lastSendMs = nowMs;
    row.preferredPath = path;
    row.avgRttMs = row.avgRttMs === null ? latencyMs : row.avgRttMs + (latencyMs - row.avgRttMs) * RTT_WEIGHT;
  }

  sendFailed(agentId: AgentId, nowMs: number): void {
    this.#counters.outgoing_send_failed += 1;
    const row = this.#touch(agentId, nowMs);
    row.sendFailed += 1;
    row.lastSendMs = nowMs;
  }

  received(agentId: AgentId, nowMs: number): void {
    const row = this.#touch(agentId, nowMs);
    row.recvCount += 1;
    row.lastRecvMs = nowMs;
  }

  document(live: {
    readonly nowMs: number;
    readonly connectedPeers: number;
    readonly subscribers: number;
    readonly subscriberCapacity: number;
    readonly expiredTotal: number;
  }): DmDocument {
    this.#trim(live.nowMs, Math.max(LEAST_ROW_BOUND, 2 * live.connectedPeers));
    const agoMs = (atMs: number | null) => (atMs === null ? null : Math.max(0, live.nowMs - atMs));
    const perPeer: DmDocument['per_peer'] = {};
    for (const [agentId, row] of this.#rows) {
      perPeer[agentId] = {
        avg_rtt_ms: row.avgRttMs,
        last_send_ms_ago: agoMs(row.lastSendMs),
        last_recv_ms_ago: agoMs(row.lastRecvMs),
        send_succeeded: row.sendSucceeded,
        send_failed: row.sendFailed,
        recv_count: row.recvCount,
        preferred_path: row.preferredPath,
      };
    }
    return {
      stats: {
        ...this.#counters,
        incoming_dropped_expired: live.expiredTotal,
        subscriber_channel_lagged: this.#counters.subscriber_events_evicted,
      },
      per_peer: perPeer,
      subscriber_count: live.subscribers,
      subscriber_capacity: live.subscriberCapacity,
      capability_store_entries: 0,
    };
  }

  #touch(agentId: AgentId, nowMs: number): PeerRow {
    const row = this.#rows.get(agentId) ?? { ...NO_ROW };
    row.lastUsedMs = nowMs;
    this.#rows.delete(agentId); // the order of the map is the order of use
    this.#rows.set(agentId, row);
    if (this.#rows.size > 2 * LEAST_ROW_BOUND) this.#trim(nowMs, LEAST_ROW_BOUND);
    return row;
  }

  #trim(nowMs: number, maxRows: number): void {
    for (const [agentId, row] of this.#rows) {
      if (this.#rows.size <= maxRows && nowMs - row.lastUsedMs < ROW_LIFETIME_MS) return;
      this.#rows.delete(agentId);
    }
  }
}

const NO_ROW: PeerRow = {
  avgRttMs: null,
  lastSendMs: null,
  lastRecvMs: null,
  lastUsedMs: 0,
  sendSucceeded: 0,
  sendFailed: 0,
  recvCount: 0,
  preferredPath: null,
};

const ZEROES: Counters = {
  outgoing_send_total: 0,
  outgoing_send_succeeded: 0,
  outgoing_send_failed: 0,
  outgoing_path_loopback: 0,
  outgoing_path_raw_quic: 0,
  outgoing_path_gossip_inbox: 0,
  outgoing_path_relayed: 0,
  incoming_envelopes_total: 0,
  incoming_decode_failed: 0,
  incoming_signature_failed: 0,
  incoming_trust_rejected: 0,
  incoming_dropped_revoked: 0,
  incoming_dropped_expired: 0,
  incoming_typed_route_dropped: 0,
  ack_publish_route_failed: 0,
  incoming_delivered_to_subscribe: 0,
  subscriber_events_evicted: 0,
  subscriber_channel_lagged: 0,
  subscriber_channel_closed: 0,
};
