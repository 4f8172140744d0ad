import * as z from 'zod';
import { base64, figure, gauge, hex64, hostPort, milliseconds, share } from './figures.ts';

/** `GET /health`, open to everyone. `ok` stays true when degraded. */
export const healthBodySchema = z.strictObject({
  ok: z.literal(true),
  status: z.enum(['healthy', 'degraded']),
  version: z.string(),
  peers: gauge,
  send_ready_peers: gauge,
  uptime_secs: figure.min(0),
  boot_id: z.string().min(1),
  degraded_reason: z.string().optional(),
});
export type HealthBody = z.infer<typeof healthBodySchema>;

/** `GET /agent`. */
export const agentBodySchema = z.strictObject({
  ok: z.literal(true),
  agent_id: hex64,
  machine_id: hex64,
  user_id: hex64.nullable(),
  kem_public_key_b64: base64.nullable().describe('null: this node seals nothing to a KEM key'),
});
export type AgentBody = z.infer<typeof agentBodySchema>;

/** `GET /status`. */
export const statusBodySchema = z.strictObject({
  ok: z.literal(true),
  version: z.string(),
  uptime_secs: figure.min(0),
  boot_id: z.string().min(1),
  peers: gauge,
  send_ready_peers: gauge,
  status: z.enum(['connected', 'connecting', 'isolated', 'degraded']),
  api_address: hostPort,
  udp_address: hostPort.nullable().describe('bound by the QUIC socket'),
  external_addrs: z.array(hostPort),
  agent_id: hex64,
  machine_id: hex64,
  instance_name: z.string().nullable(),
  network_id: z.string(),
  warnings: z.array(z.string()),
});
export type StatusBody = z.infer<typeof statusBodySchema>;

/** `GET /peers`: the live links. */
export const peersBodySchema = z.strictObject({
  ok: z.literal(true),
  peers: z.array(
    z.strictObject({
      id: hex64.describe('machine id'),
      agent_id: hex64.optional(),
      address: hostPort.optional(),
    }),
  ),
});
export type PeersBody = z.infer<typeof peersBodySchema>;

/** `GET /network/status`. All counts are of now. */
export const networkStatusBodySchema = z.strictObject({
  ok: z.literal(true),
  local_addr: hostPort.nullable(),
  external_addrs: z.array(hostPort),
  nat_type: z.string().nullable(),
  has_global_address: z.boolean().nullable(),
  can_receive_direct: z.boolean().nullable(),
  connected_peers: gauge,
  direct_connections: gauge,
  relayed_connections: gauge,
  hole_punch_success_rate: share.nullable(),
  is_relaying: z.boolean(),
  relay_sessions: gauge,
  is_coordinating: z.boolean(),
  coordination_sessions: gauge,
  avg_rtt_ms: milliseconds.nullable(),
  uptime_secs: figure.min(0),
});
export type NetworkStatusBody = z.infer<typeof networkStatusBodySchema>;

/** `POST /shutdown`: answered before the node stops. */
export const shutdownBodySchema = z.strictObject({
  ok: z.literal(true),
  message: z.literal('shutting down'),
});
