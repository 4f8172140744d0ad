import type * as z from 'zod';

/**
 * Parses `body` with a strict schema, letting go of keys that it does not know: a newer node, or the nearest system,
 * may say more than this client understands. Required keys stay required. `body` must be the caller's own (fresh from
 * `JSON.parse`), since unknown keys are removed from it.
 */
export function parseTolerantly<S extends z.ZodType>(
  schema: S,
  body: unknown,
): z.ZodSafeParseResult<z.output<S>> {
  const strict = schema.safeParse(body);
  if (strict.success) return strict;
  let isPruned = false;
  for (const issue of strict.error.issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    const holder = issue.path.reduce<unknown>((at, key) => (isKeyed(at) ? at[key] : undefined), body);
    if (!isKeyed(holder)) continue;
    for (const key of issue.keys) delete holder[key];
    isPruned = true;
  }
  return isPruned ? schema.safeParse(body) : strict;
}

function isKeyed(value: unknown): value is Record<PropertyKey, unknown> {
  return value !== null && typeof value === 'object';
}
