import type { FastifyInstance } from 'fastify';
import {
  type AppendLogBody,
  appendLogRequestSchema,
  type LogHeadBody,
  type LogsBody,
} from '../schema/log.ts';
import type { ApiServices } from '../services.ts';

interface TopicRoute {
  readonly Params: { readonly topic: string };
}

/** `/logs`, `/logs/:topic`, `/logs/:topic/entries`. */
export function logRoutes(app: FastifyInstance, { logs }: ApiServices): void {
  app.post<TopicRoute>('/logs/:topic/entries', async ({ params, body }): Promise<AppendLogBody> => {
    const { payload } = appendLogRequestSchema.parse(body);
    const { height, headHash, seq } = await logs.append(params.topic, Buffer.from(payload, 'base64'));
    return { ok: true, height, head_hash: toHex(headHash), seq };
  });

  app.get<TopicRoute>('/logs/:topic', ({ params }): LogHeadBody => {
    const { topic, height, headHash, origins } = logs.headOf(params.topic);
    return {
      ok: true,
      topic,
      height,
      head_hash: toHex(headHash),
      origins: origins.map(({ origin, incarnation, lastSeq }) => ({
        agent_id: origin,
        incarnation,
        seq: lastSeq,
      })),
    };
  });

  app.get('/logs', (): LogsBody => {
    const overview = logs.overview();
    return {
      ok: true,
      topics: overview.heads.map(({ topic, height, headHash }) => ({
        topic,
        height,
        head_hash: toHex(headHash),
      })),
      bytes: overview.bytes,
      frames_sent_total: overview.framesSentTotal,
      frames_not_sent_total: overview.framesNotSentTotal,
      frames_malformed_total: overview.framesMalformedTotal,
      frames_over_limit_total: overview.framesOverLimitTotal,
      segments_by_outcome: overview.segments,
    };
  });
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
