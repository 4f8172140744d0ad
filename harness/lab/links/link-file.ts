import * as z from 'zod';
import { parseToml } from '../../../kit/toml.ts';
import { figureFields } from '../link-agent/link-figures.ts';

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'expected the name of a place or a node');

const { latency_ms, ...others } = figureFields;
const rttMs = z.number().min(0).max(120_000).optional();
const figures = { ...others, latency_ms: latency_ms.unwrap().optional(), rtt_ms: rttMs };

/** A delay is one-way (`latency_ms`) or there and back (`rtt_ms`, half of it each way), never both. */
const oneDelay = (link: { readonly latency_ms?: number | undefined; readonly rtt_ms?: number | undefined }) =>
  link.latency_ms === undefined || link.rtt_ms === undefined;
const ONE_DELAY = 'expected latency_ms (one way) or rtt_ms (there and back), not both';

const link = z
  .strictObject({
    between: z.tuple([name, name]).optional(),
    from: name.optional(),
    to: name.optional(),
    ...figures,
  })
  .refine(oneDelay, ONE_DELAY)
  .refine(
    ({ between, from, to }) =>
      between === undefined ? from !== undefined && to !== undefined : from === undefined && to === undefined,
    'expected "between" (both directions), or "from" and "to"',
  );

const fileSchema = z.strictObject({
  format: z.literal('meshproof.links.v1', 'expected "meshproof.links.v1"'),
  description: z.string('expected a sentence').max(200),
  source: z.string('expected where the figures come from').min(1).max(2_000),
  place: z.array(z.strictObject({ name })).max(64).default([]),
  default: z.strictObject(figures).refine(oneDelay, ONE_DELAY).optional(),
  same_place: z.strictObject(figures).refine(oneDelay, ONE_DELAY).optional(),
  link: z.array(link).max(4_096).default([]),
});

export type LinkFile = z.infer<typeof fileSchema>;
export type FileFigures = NonNullable<LinkFile['default']>;

/**
 * Parses a file of links.
 * @throws UsageError `TOML_SYNTAX` or `TOML_VALUE`, naming the file and the line or field
 */
export function parseLinkFile(text: string, source: string): LinkFile {
  return parseToml(text, source, fileSchema);
}
