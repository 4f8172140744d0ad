import { createRequire } from 'node:module';
import * as z from 'zod';

/** The version of meshproof that is running. package.json is one level up from here, and from what is built of this. */
export const VERSION = z
  .object({ version: z.string() })
  .parse(createRequire(import.meta.url)('../package.json')).version;
