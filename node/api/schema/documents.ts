import { ackDocumentSchema } from './ack.ts';
import { connectivityDocumentSchema } from './connectivity.ts';
import { dmDocumentSchema } from './dm.ts';
import { documentBody } from './envelope.ts';
import { gossipDocumentSchema } from './gossip.ts';
import { runtimeDocumentSchema } from './runtime.ts';
import { healthBodySchema } from './status.ts';
import { transportDocumentSchema } from './transport.ts';

/** Every document that telemetry reads from a node, by name, as it is served: envelope and epoch included. */
export const DOCUMENT_BODIES = {
  gossip: documentBody(gossipDocumentSchema),
  ack: documentBody(ackDocumentSchema),
  connectivity: documentBody(connectivityDocumentSchema),
  dm: documentBody(dmDocumentSchema),
  transport: documentBody(transportDocumentSchema),
  runtime: documentBody(runtimeDocumentSchema),
  health: healthBodySchema,
} as const;
export type NodeDocumentName = keyof typeof DOCUMENT_BODIES;

/** Where each document is served. */
export const DOCUMENT_PATHS: Readonly<Record<NodeDocumentName, string>> = {
  gossip: '/diagnostics/gossip',
  ack: '/diagnostics/ack',
  connectivity: '/diagnostics/connectivity',
  dm: '/diagnostics/dm',
  transport: '/diagnostics/transport',
  runtime: '/diagnostics/runtime',
  health: '/health',
};
