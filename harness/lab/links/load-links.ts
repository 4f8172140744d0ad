import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, UsageError } from '../../../kit/errors.ts';
import { parseLinkFile } from './link-file.ts';
import { type LinkPlan, planLinks } from './link-plan.ts';

/** Links that do nothing: only a place for faults. */
export const DIRECT_LINKS = 'direct';

/** Beside the built command in a package, beside this source in a checkout. */
const PACKAGED = join(import.meta.dirname, 'links');

/** The names of the link files that ship with meshproof. */
async function shippedLinks(): Promise<readonly string[]> {
  const files = await readdir(linksDir());
  return files.flatMap((file) => (file.endsWith('.toml') ? [file.slice(0, -'.toml'.length)] : [])).toSorted();
}

/**
 * The links of `nodes` by a file that ships with meshproof, or one by its path.
 * @throws UsageError `UNKNOWN_LINKS`, `LINKS_UNREADABLE`, or what is wrong with the file and where
 */
export async function loadLinks(nameOrPath: string, nodes: readonly string[]): Promise<LinkPlan> {
  const known = await shippedLinks();
  const isPath = nameOrPath.includes('/') || nameOrPath.endsWith('.toml');
  if (!isPath && !known.includes(nameOrPath)) {
    throw new UsageError(
      'UNKNOWN_LINKS',
      `--links: "${nameOrPath}" is no set of links; known: ${known.join(', ')}, or the path of a .toml file`,
      { details: { links: nameOrPath, known } },
    );
  }
  const path = isPath ? nameOrPath : join(linksDir(), `${nameOrPath}.toml`);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new UsageError('LINKS_UNREADABLE', `--links: cannot read ${path}: ${messageOf(cause)}`, { cause });
  });
  const source = isPath ? path : `${nameOrPath}.toml`;
  return planLinks(parseLinkFile(text, source), { name: nameOrPath, source, nodes });
}

function linksDir(): string {
  return existsSync(PACKAGED) ? PACKAGED : import.meta.dirname;
}
