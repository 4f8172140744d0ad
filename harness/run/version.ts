import { createRequire } from 'node:module';
import { z } from 'zod';

const require = createRequire(import.meta.url);

function readVersion(): string {
  // dist/cli.js stands one level below package.json, this source two.
  for (const path of ['../package.json', '../../package.json']) {
    try {
      return z.object({ version: z.string() }).parse(require(path)).version;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND')) throw error;
    }
  }
  throw new Error('package.json not found');
}

/** The version of meshproof that is running. */
export const VERSION = readVersion();
