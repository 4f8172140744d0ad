import * as z from 'zod';

/**
 * The life of one process. Counters may be subtracted only between documents that carry the same `boot_id`;
 * `uptime_secs` is monotonic inside it.
 */
const epochShape = {
  boot_id: z.string().min(1).describe('random per process start'),
  uptime_secs: z.number().min(0),
} as const;

export type NodeEpoch = { readonly [Key in keyof typeof epochShape]: z.infer<(typeof epochShape)[Key]> };

/** A success with nothing more to say. */
export const okSchema = z.strictObject({ ok: z.literal(true) });

/** The 401 body, which has no `ok`, exactly as clients of the nearest system expect it. */
export const UNAUTHORIZED_BODY = { error: 'missing or invalid Authorization: Bearer token' } as const;

/** The body served for a diagnostics document: envelope, epoch and the document of a room. */
export function documentBody<Shape extends z.ZodRawShape>(document: z.ZodObject<Shape, z.core.$strict>) {
  return z.strictObject({ ok: z.literal(true), ...epochShape, ...document.shape });
}
