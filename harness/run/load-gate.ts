import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Gate } from '../../gates/gate-schema.ts';
import { parseGate } from '../../gates/parse-gate.ts';
import { messageOf, UsageError } from '../../kit/errors.ts';
import { sha256Hex } from '../../kit/hash.ts';

/** A gate with the exact text that it was parsed from: the text is evidence. */
export interface LoadedGate {
  readonly gate: Gate;
  readonly text: string;
  readonly sha256: string;
  readonly source: string;
}

/** Beside the built command in a package, in `gates/` in a checkout. */
const DEFINITIONS = [
  join(import.meta.dirname, 'gates'),
  join(import.meta.dirname, '../../gates/definitions'),
];

/** The names of the gates that ship with meshproof. */
export async function shippedGates(): Promise<readonly string[]> {
  const files = await readdir(definitionsDir());
  return files
    .filter((file) => file.endsWith('.toml'))
    .map((file) => file.slice(0, -'.toml'.length))
    .toSorted();
}

/**
 * A shipped gate by name, or a definition by path.
 * @throws UsageError `UNKNOWN_GATE`, or what is wrong with the definition and where
 */
export async function loadGate(nameOrPath: string): Promise<LoadedGate> {
  const known = await shippedGates();
  const isPath = nameOrPath.includes('/') || nameOrPath.endsWith('.toml');
  if (!isPath && !known.includes(nameOrPath)) {
    throw new UsageError(
      'UNKNOWN_GATE',
      `--gate: "${nameOrPath}" is not a gate; known: ${known.join(', ')}, or the path of a .toml definition`,
      { details: { gate: nameOrPath, known } },
    );
  }
  const path = isPath ? nameOrPath : join(definitionsDir(), `${nameOrPath}.toml`);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new UsageError('GATE_UNREADABLE', `--gate: cannot read ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  });
  return parseLoaded(text, isPath ? path : `${nameOrPath}.toml`);
}

export function parseLoaded(text: string, source: string): LoadedGate {
  return { gate: parseGate(text, source), text, sha256: sha256Hex(text), source };
}

function definitionsDir(): string {
  const found = DEFINITIONS.find((dir) => existsSync(dir));
  if (found === undefined) throw new Error(`no gate definitions in ${DEFINITIONS.join(' or ')}`);
  return found;
}
