import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { codeOf, FaultError, messageOf } from '../../kit/errors.ts';
import { intentFileOf } from './names.ts';
import { type LeaseKey, leaseSchema } from './protocol.ts';

const argv = z.tuple([z.string()], z.string());

const intentSchema = z.strictObject({
  version: z.literal(1),
  lease: leaseSchema,
  written_unix_ms: z.int(),
  undo: z
    .array(z.strictObject({ argv, env: z.record(z.string(), z.string()) }))
    .describe('what ends the fault, one command after another; also what its timers run'),
  started_usec: z
    .int()
    .nullable()
    .describe(
      'when the main process of the unit was started, on the monotonic clock; null for faults of the network',
    ),
});

/** What the program is about to do on this host, written before it does it. */
export type Intent = z.infer<typeof intentSchema>;
export type UndoStep = Readonly<{
  argv: readonly [string, ...string[]];
  env: Readonly<Record<string, string>>;
}>;

/** A file in the directory that says nothing that this version understands. */
export interface UnreadableIntent {
  readonly file: string;
  readonly why: string;
}

/** The write-ahead notes of this host, one file per lease. They live in `/run`: a reboot ends faults and notes alike. */
export class Intents {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Makes the directory, for root alone. */
  async open(): Promise<void> {
    try {
      await mkdir(this.directory, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw this.#failure('make', cause);
    }
  }

  /** Whole or not at all. */
  async write(intent: Intent): Promise<void> {
    const path = join(this.directory, intentFileOf(intent.lease));
    const fresh = `${path}.${process.pid}.new`;
    try {
      const handle = await open(fresh, 'w', 0o600);
      try {
        await handle.writeFile(`${JSON.stringify(intent)}\n`);
      } finally {
        await handle.close();
      }
      await rename(fresh, path);
    } catch (cause) {
      throw this.#failure('write', cause);
    }
  }

  /** Null when there is none, or none that this version understands. */
  async read(key: LeaseKey): Promise<Intent | null> {
    const found = await this.#readFile(intentFileOf(key));
    return found !== null && 'lease' in found ? found : null;
  }

  async remove(key: LeaseKey): Promise<void> {
    await this.removeFile(intentFileOf(key));
  }

  async removeFile(file: string): Promise<void> {
    await rm(join(this.directory, file), { force: true });
  }

  async all(): Promise<{
    readonly intents: readonly Intent[];
    readonly unreadable: readonly UnreadableIntent[];
  }> {
    const files = await this.#names();
    const found = await Promise.all(
      files.filter((name) => name.endsWith('.json')).map((name) => this.#readFile(name)),
    );
    return {
      intents: found.filter((one): one is Intent => one !== null && 'lease' in one),
      unreadable: found.filter((one): one is UnreadableIntent => one !== null && 'why' in one),
    };
  }

  /** Removes what a killed writer left half written. The caller holds the lock. */
  async removeTorn(): Promise<void> {
    const torn = (await this.#names()).filter((name) => name.endsWith('.new'));
    await Promise.all(torn.map((name) => this.removeFile(name)));
  }

  async #names(): Promise<readonly string[]> {
    try {
      return await readdir(this.directory);
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') return [];
      throw this.#failure('read', cause);
    }
  }

  async #readFile(file: string): Promise<Intent | UnreadableIntent | null> {
    try {
      const parsed = intentSchema.safeParse(JSON.parse(await readFile(join(this.directory, file), 'utf8')));
      return parsed.success ? parsed.data : { file, why: z.prettifyError(parsed.error) };
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') return null;
      return { file, why: messageOf(cause) };
    }
  }

  #failure(what: string, cause: unknown): FaultError {
    return new FaultError('STATE_UNUSABLE', `cannot ${what} ${this.directory}: ${messageOf(cause)}`, {
      cause,
    });
  }
}
