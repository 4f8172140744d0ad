import type { FastifyInstance } from 'fastify';
import { formatAddress } from '../address.ts';
import { connectionStatus, healthOf } from '../health.ts';
import type { AgentBody, NetworkStatusBody, PeersBody, StatusBody } from '../schema/status.ts';
import type { ApiServices } from '../services.ts';

/** `/health`, `/agent`, `/status`, `/peers`, `/network/status`, `/shutdown`. `apiAddress` is where the API listens. */
export function statusRoutes(app: FastifyInstance, services: ApiServices, apiAddress: () => string): void {
  const { facts, links, documents } = services;

  app.get('/health', () => healthOf(services));

  app.get(
    '/agent',
    (): AgentBody => ({
      ok: true,
      agent_id: facts.agentId,
      machine_id: facts.machineId,
      user_id: null,
      kem_public_key_b64: null,
    }),
  );

  app.get('/status', (): StatusBody => {
    const health = healthOf(services);
    const warnings = [...facts.warnings()];
    const { local_addr, external_addrs } = documents.connectivity();
    return {
      ok: true,
      version: facts.version,
      uptime_secs: health.uptime_secs,
      boot_id: health.boot_id,
      peers: health.peers,
      send_ready_peers: health.send_ready_peers,
      status: connectionStatus(health, warnings),
      api_address: apiAddress(),
      udp_address: local_addr,
      external_addrs,
      agent_id: facts.agentId,
      machine_id: facts.machineId,
      instance_name: facts.instanceName,
      network_id: facts.networkId,
      warnings,
    };
  });

  app.get(
    '/peers',
    (): PeersBody => ({
      ok: true,
      peers: links
        .links()
        .map((link) => ({ id: link.peerId, agent_id: link.agentId, address: formatAddress(link.remote) })),
    }),
  );

  app.get('/network/status', (): NetworkStatusBody => {
    const now = documents.connectivity();
    return {
      ok: true,
      local_addr: now.local_addr,
      external_addrs: now.external_addrs,
      nat_type: now.nat_type,
      has_global_address: now.has_global_address,
      can_receive_direct: now.can_receive_direct,
      connected_peers: now.connections.connected_peers,
      direct_connections: now.connections.direct,
      relayed_connections: now.connections.relayed,
      hole_punch_success_rate: now.connections.hole_punch_success_rate,
      is_relaying: now.relay.is_relaying,
      relay_sessions: now.relay.sessions,
      is_coordinating: now.coordinator.is_coordinating,
      coordination_sessions: now.coordinator.sessions,
      avg_rtt_ms: now.avg_rtt_ms,
      uptime_secs: facts.epoch().uptime_secs,
    };
  });

  app.post('/shutdown', (_request, reply) => {
    // The answer first: the stop closes the connection it travels on.
    reply.raw.once('finish', () => services.requestShutdown());
    return { ok: true, message: 'shutting down' };
  });
}
