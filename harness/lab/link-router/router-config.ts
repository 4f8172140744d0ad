import * as z from 'zod';
import { plannedLinksSchema } from '../../../proofs/planned-links.ts';

/** What a link router is started with, as JSON on its standard input. It does not change while it runs. */
export const routerConfigSchema = z.strictObject({
  members: z.array(z.strictObject({ name: z.string(), addresses: z.array(z.union([z.ipv4(), z.ipv6()])) })),
  /** Between the members, as the plan of a run seals them. */
  links: plannedLinksSchema,
});
export type RouterConfig = z.infer<typeof routerConfigSchema>;
