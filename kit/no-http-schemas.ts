/**
 * For `fastify({…})`: bodies are parsed by zod, so that what Fastify compiles JSON schemas with need not be loaded: a fifth of
 * what a node takes to start, and 5 MB of it.
 */
export const NO_HTTP_SCHEMAS = {
  schemaController: { compilersFactory: { buildValidator: neverNeeded, buildSerializer: neverNeeded } },
} as const;

function neverNeeded(): never {
  throw new TypeError('a route has a JSON schema; bodies are parsed by zod');
}
