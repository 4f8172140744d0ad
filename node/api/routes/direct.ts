import type { FastifyInstance } from 'fastify';
import type * as z from 'zod';
import type { DirectSendOptions, ProbeResult } from '../../direct/send-options.ts';
import { RequestError } from '../error-reply.ts';
import type { EventStreams } from '../event-streams.ts';
import { abortedWhenGone } from '../request-signal.ts';
import {
  ACK_WAIT_MS,
  type DirectSendBody,
  type DirectSendRequest,
  type directConnectionsBodySchema,
  directSendRequestSchema,
} from '../schema/direct-send.ts';
import type { ApiServices } from '../services.ts';

/** Room to find a live link before the wait for the acknowledgement; 12 s + 2 s stay inside a client's 15 s. */
const LINK_WAIT_MS = 2_000;
const LOGICAL_ID = /^[a-z0-9._:-]{1,128}$/;

/** `/direct/send`, `/direct/events`, `/direct/connections`, `/peers/events`. */
export function directRoutes(
  app: FastifyInstance,
  { direct, links }: ApiServices,
  streams: Pick<EventStreams, 'direct' | 'peers'>,
): void {
  app.post('/direct/send', async ({ body }, reply): Promise<DirectSendBody> => {
    const request = directSendRequestSchema.parse(body);
    refuseContradictions(request);
    const receipt = await direct.send(
      request.agent_id,
      Buffer.from(request.payload, 'base64'),
      sendOptions(request),
      abortedWhenGone(reply.raw),
    );
    return {
      ok: true,
      path: receipt.path,
      retries_used: receipt.retriesUsed,
      request_id: receipt.requestId,
      require_ack: probeBody(receipt.requireAck),
      attempts: receipt.attempts,
      receipt: receipt.tier,
    };
  });

  app.get('/direct/events', (_request, reply) => {
    streams.direct.attach(reply.raw);
    reply.hijack();
  });

  app.get(
    '/direct/connections',
    (): z.infer<typeof directConnectionsBodySchema> => ({
      ok: true,
      connections: links.links().map(({ agentId, peerId }) => ({ agent_id: agentId, machine_id: peerId })),
    }),
  );

  app.get('/peers/events', (_request, reply) => {
    streams.peers.attach(reply.raw);
    reply.hijack();
  });
}

function refuseContradictions(request: DirectSendRequest): void {
  if (request.require_gossip_ack !== undefined) throw new RequestError(400, 'require_gossip_ack_removed');
  const logicalId = request.logical_id ?? null;
  if (logicalId === null) return;
  if (!LOGICAL_ID.test(logicalId)) throw new RequestError(400, 'invalid_logical_id');
  if (request.require_durable_app_ack === false)
    throw new RequestError(400, 'logical_id_requires_durable_ack');
}

function sendOptions(request: DirectSendRequest): DirectSendOptions {
  const ackMs = request.raw_quic_receive_ack_ms ?? ACK_WAIT_MS.default;
  const probeMs = request.require_ack_ms ?? null;
  return {
    deadlineMs: ackMs + LINK_WAIT_MS + (probeMs ?? 0),
    ackMs,
    preferRawQuic: request.prefer_raw_quic_if_connected ?? true,
    stopFallbackOnRawError: request.stop_fallback_on_raw_error ?? false,
    requireGossip: request.require_gossip ?? false,
    // Unlike the nearest system, silence asks for no durable tier: this build has none, and its clients do not ask.
    requireDurableAppAck: request.require_durable_app_ack ?? false,
    ...(probeMs === null ? {} : { requireAckMs: probeMs }),
    ...(request.logical_id == null ? {} : { logicalId: request.logical_id }),
  };
}

function probeBody(probe: ProbeResult | null): DirectSendBody['require_ack'] {
  if (probe === null) return null;
  return probe.ok ? { ok: true, rtt_ms: probe.rttMs } : { ok: false, error: probe.error };
}
