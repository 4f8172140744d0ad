import { mkdtemp, open, readdir, rmdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { BoundedMap } from '../kit/bounded.ts';
import { makeDirectories, replaceFile, syncDirectory } from '../kit/durable-file.ts';
import { codeOf, FaultError, messageOf, UsageError } from '../kit/errors.ts';
import { sha256Hex } from '../kit/hash.ts';
import type { DocumentName, Epoch, StoredDocument } from './evidence.ts';
import { pathSegment } from './path-names.ts';
import { type Plan, planSchema } from './plan-schema.ts';

/** Where things lie in a proof directory. */
export const PROOF_LAYOUT = { journal: 'journal.ndjson', plan: 'plan.json', gate: 'gate.toml' } as const;

const NOT_WRITABLE = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'];
const MAX_SAME_NAME = 1_000;

/** One raw diagnostics document as it came from a node. */
export interface DocumentToStore {
  /** Null outside windows. */
  readonly window: number | null;
  /** Null when the sample is not tied to one scenario. */
  readonly scenario: string | null;
  readonly phase: 'pre' | 'post';
  readonly node: string;
  readonly document: DocumentName;
  /** The exact text that the node sent. */
  readonly rawText: string;
  readonly epoch: Epoch;
}

/** The directory of one run's proof while the run writes it. Everything it writes is whole, synced, and never replaced. */
export class ProofDirectory {
  readonly dir: string;
  readonly #made = new BoundedMap<string, Promise<void>>({ max: 256 }); // an evicted folder is only made again

  private constructor(dir: string) {
    this.dir = dir;
  }

  get journalPath(): string {
    return join(this.dir, PROOF_LAYOUT.journal);
  }

  /**
   * Makes `dir` and its parents; an existing directory must be empty.
   * @throws UsageError `PROOF_DIR_NOT_EMPTY`, `PROOF_DIR_UNWRITABLE`; FaultError `PROOF_WRITE_FAILED`
   */
  static async create(dir: string): Promise<ProofDirectory> {
    const path = resolve(dir);
    let found: string[];
    try {
      const made = await makeDirectories(path);
      found = await readdir(path);
      for (const directory of made) await syncDirectory(dirname(directory));
      if (found.length === 0) await rmdir(await mkdtemp(join(path, '.probe-')));
    } catch (error) {
      const why = `cannot write to the proof directory ${path}: ${messageOf(error)}`;
      const options = { details: { dir: path }, cause: error };
      if (NOT_WRITABLE.includes(codeOf(error))) throw new UsageError('PROOF_DIR_UNWRITABLE', why, options);
      throw new FaultError('PROOF_WRITE_FAILED', why, options);
    }
    if (found.length === 0) return new ProofDirectory(path);
    const count = found.length === 1 ? `"${found[0]}"` : `${found.length} entries`;
    throw new UsageError(
      'PROOF_DIR_NOT_EMPTY',
      `the proof directory ${path} is not empty (${count}); name a new one`,
      {
        details: { dir: path, entries: found.length },
      },
    );
  }

  /**
   * Writes the plan; what it gives is what the `plan_sealed` record must say.
   * @throws FaultError `PROOF_WRITE_FAILED`
   */
  async writePlan(plan: Plan): Promise<{ readonly planSha256: string }> {
    const bytes = Buffer.from(`${JSON.stringify(planSchema.parse(plan), null, 2)}\n`);
    await this.#write(PROOF_LAYOUT.plan, bytes, 1);
    return { planSha256: sha256Hex(bytes) };
  }

  /**
   * Keeps the exact text of the gate definition that the plan seals by its digest.
   * @throws FaultError `PROOF_WRITE_FAILED`
   */
  async writeGate(text: string): Promise<void> {
    await this.#write(PROOF_LAYOUT.gate, Buffer.from(text, 'utf8'), 1);
  }

  /**
   * Keeps a raw document at `windows/NNN/diagnostics/<scenario>/<node>-<phase>-<document>.json`; a second one of the
   * same name gets a number, so that no digest in the journal ever goes stale. Resolves when it is durable.
   * @throws FaultError `PROOF_WRITE_FAILED`
   */
  async storeDocument(source: DocumentToStore): Promise<StoredDocument> {
    const folder = [
      ...(source.window === null ? [] : ['windows', String(source.window).padStart(3, '0')]),
      'diagnostics',
      ...(source.scenario === null ? [] : [pathSegment(source.scenario)]),
    ].join('/');
    const name = `${pathSegment(source.node)}-${source.phase}-${source.document}`;
    const bytes = Buffer.from(source.rawText, 'utf8');
    const file = await this.#write(`${folder}/${name}.json`, bytes, MAX_SAME_NAME);
    return { file, sha256: sha256Hex(bytes), bytes: bytes.length, epoch: source.epoch };
  }

  async #write(wanted: string, bytes: Uint8Array, maxSameName: number): Promise<string> {
    try {
      const folder = dirname(wanted);
      await this.#makeFolder(folder);
      const file = await this.#reserve(wanted, maxSameName);
      await replaceFile(join(this.dir, file), bytes);
      await syncDirectory(join(this.dir, folder));
      return file;
    } catch (error) {
      const path = join(this.dir, wanted);
      throw new FaultError('PROOF_WRITE_FAILED', `cannot write ${path}: ${messageOf(error)}`, {
        details: { path },
        cause: error,
      });
    }
  }

  /** Makes `folder` durable, once: whoever comes second waits for the first. */
  async #makeFolder(folder: string): Promise<void> {
    const making = this.#made.get(folder) ?? this.#makeDurable(folder);
    this.#made.set(folder, making);
    try {
      await making;
    } catch (error) {
      this.#made.delete(folder);
      throw error;
    }
  }

  async #makeDurable(folder: string): Promise<void> {
    if (folder === '.') return;
    await this.#makeFolder(dirname(folder));
    for (const directory of await makeDirectories(join(this.dir, folder)))
      await syncDirectory(dirname(directory));
  }

  /** Takes a name that no file has yet. */
  async #reserve(wanted: string, maxSameName: number): Promise<string> {
    for (let copy = 1; copy <= maxSameName; copy += 1) {
      const file = copy === 1 ? wanted : wanted.replace(/\.json$/, `-${copy}.json`);
      try {
        await (await open(join(this.dir, file), 'wx')).close();
        return file;
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
      }
    }
    throw new FaultError('PROOF_WRITE_FAILED', `${wanted} is there already`);
  }
}
