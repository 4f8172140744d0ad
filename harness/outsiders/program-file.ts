import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const BUILT = join(import.meta.dirname, 'outsiders.js');

/** The program for this machine: beside the built command in a package, a source in a checkout. */
export function outsidersProgram(): string {
  return existsSync(BUILT) ? BUILT : join(import.meta.dirname, 'program/main.ts');
}

/** The program for other machines: one file that needs nothing but Node and the QUIC package. */
export async function packedOutsidersProgram(): Promise<Uint8Array> {
  if (existsSync(BUILT)) return await readFile(BUILT);
  // Only a build needs esbuild, which an installed package does not have.
  const { buildOutsiders } = await import('../deploy/bundle-files.ts');
  return await buildOutsiders(join(import.meta.dirname, '../..'));
}
