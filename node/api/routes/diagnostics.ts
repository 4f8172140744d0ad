import type { FastifyInstance } from 'fastify';
import type { EventStreams } from '../event-streams.ts';
import type { DmDocument } from '../schema/dm.ts';
import type { ApiServices } from '../services.ts';
import type { SseStream } from '../sse.ts';
import { SSE_BOUNDS } from '../sse-queue.ts';

/** `/diagnostics/*`: the document of each room inside the envelope, with the epoch. */
export function diagnosticsRoutes(
  app: FastifyInstance,
  { facts, documents }: ApiServices,
  streams: Pick<EventStreams, 'direct'>,
): void {
  const served = <Document extends object>(document: Document) => ({
    ok: true,
    ...facts.epoch(),
    ...document,
  });

  app.get('/diagnostics/gossip', () => served(documents.gossip()));
  app.get('/diagnostics/ack', () => served(documents.ack()));
  app.get('/diagnostics/connectivity', () => served(documents.connectivity()));
  app.get('/diagnostics/dm', () => served(withDirectReaders(documents.dm(), streams.direct)));
  app.get('/diagnostics/transport', () => served(documents.transport()));
  app.get('/diagnostics/runtime', async () => served(await documents.runtime()));
}

/** The subscribers that the nearest system counts are the readers of `/direct/events`. */
function withDirectReaders(document: DmDocument, direct: SseStream): DmDocument {
  return { ...document, subscriber_count: direct.clients, subscriber_capacity: SSE_BOUNDS.maxEvents };
}
