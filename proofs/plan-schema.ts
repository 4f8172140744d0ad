import * as z from 'zod';
import { plannedLinksSchema } from './planned-links.ts';
import { HARMLESS, safetySchema } from './safety-schema.ts';

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);

/**
 * The plan of a run, sealed before the first packet: the denominator of everything that is judged. Whoever shows up
 * later, the verdict divides by what stands here.
 */
export const planSchema = z
  .strictObject({
    format: z.literal('meshproof.plan.v1'),
    run_id: z.string(),
    created_wall_ms: z.number(),
    seed: z.int(),
    network: z.string(),
    roster: z
      .array(z.strictObject({ name: z.string().min(1), region: z.string().nullable() }))
      .min(2)
      .describe('every node of the run, in order'),
    anchor: z.string(),
    control: z.enum(['loopback', 'mesh']),
    pairs: z.array(z.tuple([z.string(), z.string()])).describe('every directed pair [from, to] of Phase A'),
    expect_path: z.string().describe('path that every receipt of Phase A must name'),
    scenarios: z.array(
      z.strictObject({
        name: z.string(),
        options: z.record(z.string(), z.json()),
        destructive: z.string().nullable(),
      }),
    ),
    windows: z.strictObject({
      count: z.int().min(1),
      interval_ms: z.number().min(0).describe('distance of the fixed grid; 0 for a single run'),
    }),
    telemetry: z.strictObject({ every_ms: z.number().min(100), deadline_ms: z.number().min(1) }),
    links: plannedLinksSchema.optional(),
    safety: safetySchema.default(HARMLESS),
    gate: z.strictObject({ name: z.string(), sha256: hex64 }),
    bundle_sha256: hex64.describe('digest of the node bundle that the hosts run'),
  })
  .superRefine(({ roster, pairs, links }, context) => {
    const names = roster.map(({ name }) => name);
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice !== undefined) {
      context.addIssue({ code: 'custom', path: ['roster'], message: `names ${twice} twice` });
      return;
    }
    const edges = links?.groups.flatMap((group) => group.edges);
    for (const [field, listed] of Object.entries({ pairs, ...(edges && { links: edges }) })) {
      const message = pairsProblem(names, listed);
      if (message !== null) context.addIssue({ code: 'custom', path: [field], message });
    }
  });
export type Plan = z.infer<typeof planSchema>;
export type PlannedPair = Plan['pairs'][number];

/** Every ordered pair of distinct names: n(n-1) of them, sources in roster order. */
export function allDirectedPairs(names: readonly string[]): PlannedPair[] {
  return names.flatMap((from) => names.filter((to) => to !== from).map((to): PlannedPair => [from, to]));
}

/** What keeps `pairs` from being every directed pair of `names`, each once; null when nothing does. */
function pairsProblem(
  names: readonly string[],
  pairs: readonly (readonly [string, string])[],
): string | null {
  const planned = new Set(pairs.map(([from, to]) => JSON.stringify([from, to])));
  const expected = allDirectedPairs(names);
  const lacking = expected.find(([from, to]) => !planned.has(JSON.stringify([from, to])));
  if (lacking !== undefined) return `lacks ${lacking[0]}→${lacking[1]}`;
  if (pairs.length === expected.length) return null;
  return `holds ${pairs.length} pairs, expected the ${expected.length} of the roster`;
}
