import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';

/** Decide what an import resolves to without being among esbuild's inputs. */
const RESOLUTION_FILES = ['package.json', 'package-lock.json', 'tsconfig.json'];
// A change may carry a time up to one tick of the kernel's clock before it was made: 10 ms at 100 Hz, with room.
const TIMESTAMP_MARGIN_MS = 50;

/** What a bundle was made from: path relative to the root → size and times of that file. */
export type BundleInputs = Readonly<Record<string, string>>;

export const bundleInputsSchema = z.record(z.string(), z.string());

/** Size, modification and change time in ns; `undefined` for a file that is not there. */
async function fingerprint(root: string, path: string) {
  const stats = await stat(join(root, path), { bigint: true, throwIfNoEntry: false });
  return (
    stats && { text: `${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`, changedMs: Number(stats.ctimeMs) }
  );
}

/**
 * Fingerprints the files that a build begun at `startedMs` (Unix time) has read. Gives `undefined` when one of them
 * changed since or so shortly before that nobody can tell which of its versions the build saw.
 */
export async function fingerprintInputs(
  root: string,
  paths: readonly string[],
  startedMs: number,
): Promise<BundleInputs | undefined> {
  const inputs: Record<string, string> = {};
  for (const path of [...paths, ...RESOLUTION_FILES]) inputs[path] = '';
  const settled = await Promise.all(
    Object.keys(inputs).map(async (path) => {
      const print = await fingerprint(root, path);
      if (print === undefined || print.changedMs > startedMs - TIMESTAMP_MARGIN_MS) return false;
      inputs[path] = print.text;
      return true;
    }),
  );
  return settled.every(Boolean) ? inputs : undefined;
}

/** Compares recorded inputs with the files as they are; one check asks for each file once. */
export class InputCheck {
  readonly #root: string;
  readonly #prints = new Map<string, Promise<string | undefined>>();

  constructor(root: string) {
    this.#root = root;
  }

  async areUnchanged(inputs: BundleInputs): Promise<boolean> {
    const same = Object.entries(inputs).map(async ([path, text]) => (await this.#print(path)) === text);
    return (await Promise.all(same)).every(Boolean);
  }

  #print(path: string): Promise<string | undefined> {
    let print = this.#prints.get(path);
    if (print === undefined) {
      print = fingerprint(this.#root, path).then((found) => found?.text);
      this.#prints.set(path, print);
    }
    return print;
  }
}
