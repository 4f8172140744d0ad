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

/** A file of links as it was read: what it said then holds, whatever becomes of it. */
export interface LinkText {
  /** As the operator named it: one that ships with meshproof, or a path. */
  readonly name: string;
  readonly text: string;
}

/**
 * Reads a file of links that ships with meshproof, or one by its path.
 * @param flag what the operator named it with, for messages
 * @throws UsageError `UNKNOWN_LINKS`, `LINKS_UNREADABLE`
 */
export async function readLinks(nameOrPath: string, flag: string): Promise<LinkText> {
  const known = await shippedLinks();
  if (!isPath(nameOrPath) && !known.includes(nameOrPath)) {
    throw new UsageError(
      'UNKNOWN_LINKS',
      `${flag}: "${nameOrPath}" is no set of links; known: ${known.join(', ')}, or the path of a .toml file`,
      { details: { links: nameOrPath, known } },
    );
  }
  const path = isPath(nameOrPath) ? nameOrPath : join(linksDir(), `${nameOrPath}.toml`);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new UsageError('LINKS_UNREADABLE', `${flag}: cannot read ${path}: ${messageOf(cause)}`, { cause });
  });
  return { name: nameOrPath, text };
}

/**
 * What a file of links means for `nodes`.
 * @throws UsageError what is wrong with the file and where
 */
export function linksFrom({ name, text }: LinkText, nodes: readonly string[]): LinkPlan {
  const source = isPath(name) ? name : `${name}.toml`;
  return planLinks(parseLinkFile(text, source), { name, source, nodes });
}

/** @throws UsageError what is wrong with `--links` or its file, and where */
export async function loadLinks(nameOrPath: string, nodes: readonly string[]): Promise<LinkPlan> {
  return linksFrom(await readLinks(nameOrPath, '--links'), nodes);
}

/** A name has no slash and no ending. */
export function isPath(nameOrPath: string): boolean {
  return nameOrPath.includes('/') || nameOrPath.endsWith('.toml');
}

function linksDir(): string {
  return existsSync(PACKAGED) ? PACKAGED : import.meta.dirname;
}
