import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../kit/clock.ts';
import { syncDirectory } from '../kit/durable-file.ts';
import { FaultError, MeshproofError, messageOf } from '../kit/errors.ts';
import { type EvidenceRecord, type JournalEntry, recordSchema } from './evidence.ts';
import { encodeLine, genesisOf, MAX_LINE_BYTES } from './journal-line.ts';

/** The part of a file handle that the journal writes through. */
export type JournalFile = Pick<FileHandle, 'write' | 'datasync' | 'truncate' | 'close'>;

type Waiting = {
  readonly line: Buffer;
  readonly entry: JournalEntry;
  readonly resolve: (entry: JournalEntry) => void;
  readonly reject: (error: unknown) => void;
};

/** Appends that may wait for the disk at once; beyond it the disk has stalled and the run should end. */
const MAX_WAITING = 100_000;
/** One write and one sync cover at most this much, so that a burst does not make one huge write. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;

/**
 * The only writer of a run's journal. An append resolves when its line is on disk; appends that wait at the same
 * time share one write and one sync. After a failed write the journal ends at its last whole record and every later
 * append is refused with the same error: a disk that lost a write once is not asked again.
 */
export class JournalWriter {
  readonly path: string;
  readonly #file: JournalFile;
  readonly #clock: Clock;
  readonly #waiting: Waiting[] = [];
  #flushing: Promise<void> | undefined;
  #seq = 0;
  #prev: string;
  #durableBytes = 0;
  #ended: MeshproofError | undefined;

  private constructor(
    path: string,
    file: JournalFile,
    options: { readonly runId: string; readonly clock: Clock },
  ) {
    this.path = path;
    this.#file = file;
    this.#clock = options.clock;
    this.#prev = genesisOf(options.runId);
  }

  /**
   * Creates the journal at `path`, which must not exist yet.
   * @throws FaultError `JOURNAL_EXISTS` or `JOURNAL_WRITE_FAILED`
   */
  static async create(
    path: string,
    options: {
      readonly runId: string;
      readonly clock: Clock;
      /** For tests of failing disks. */
      readonly openFile?: (path: string) => Promise<JournalFile>;
    },
  ): Promise<JournalWriter> {
    const openFile = options.openFile ?? ((at: string) => open(at, 'wx'));
    try {
      const file = await openFile(path);
      await syncDirectory(dirname(path));
      return new JournalWriter(path, file, options);
    } catch (error) {
      const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      throw new FaultError(
        exists ? 'JOURNAL_EXISTS' : 'JOURNAL_WRITE_FAILED',
        `cannot create the journal ${path}: ${messageOf(error)}`,
        { details: { path }, cause: error },
      );
    }
  }

  /**
   * Adds `record` and resolves when it is durable.
   * @throws MeshproofError `JOURNAL_RECORD_INVALID` (nothing is written, the journal goes on), `JOURNAL_CLOSED`;
   * FaultError `JOURNAL_WRITE_FAILED`, `JOURNAL_STALLED`
   */
  append(record: EvidenceRecord): Promise<JournalEntry> {
    return new Promise((resolve, reject) => {
      if (this.#ended) throw this.#ended;
      if (this.#waiting.length >= MAX_WAITING) {
        throw new FaultError('JOURNAL_STALLED', `${this.path}: ${MAX_WAITING} records wait for the disk`, {
          details: { path: this.path, waiting: this.#waiting.length },
        });
      }
      const { entry, line } = encodeLine({
        seq: this.#seq + 1,
        at_wall_ms: this.#clock.wallMs(),
        prev: this.#prev,
        record: this.#valid(record),
      });
      if (line.length > MAX_LINE_BYTES) throw this.#invalid(record.type, `is ${line.length} bytes long`);
      this.#seq = entry.seq;
      this.#prev = entry.hash;
      this.#waiting.push({ line, entry, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  #valid(record: EvidenceRecord): EvidenceRecord {
    const result = recordSchema.safeParse(record);
    if (result.success) return result.data;
    const issue = result.error.issues[0];
    throw this.#invalid(
      String(record.type),
      `${issue?.path.join('.') || 'record'}: ${issue?.message ?? 'does not fit'}`,
    );
  }

  #invalid(type: string, why: string): MeshproofError {
    return new MeshproofError('JOURNAL_RECORD_INVALID', `a ${type} record is not evidence: ${why}`, {
      details: { path: this.path, record_type: type, why },
    });
  }

  async #flush(): Promise<void> {
    await Promise.resolve(); // lets every append of this tick join the first batch
    while (this.#waiting.length > 0 && !this.#ended) {
      const batch = this.#takeBatch();
      const bytes = Buffer.concat(batch.map(({ line }) => line));
      try {
        await this.#write(bytes);
        await this.#file.datasync();
        this.#durableBytes += bytes.length;
        for (const { entry, resolve } of batch) resolve(entry);
      } catch (error) {
        await this.#fail(error, batch);
      }
    }
    this.#flushing = undefined; // in the same tick as the last look at the queue, or an append could wait for ever
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    const end = this.#waiting.findIndex(({ line }, index) => {
      bytes += line.length;
      return index > 0 && bytes > MAX_BATCH_BYTES;
    });
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : end);
  }

  async #write(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(
        bytes,
        done,
        bytes.length - done,
        this.#durableBytes + done,
      );
      if (bytesWritten === 0) throw new Error('the file took no bytes');
      done += bytesWritten;
    }
  }

  async #fail(cause: unknown, batch: readonly Waiting[]): Promise<void> {
    const truncated = await this.#file.truncate(this.#durableBytes).then(
      () => true,
      () => false, // told in the error; the reader takes what is left for a torn tail
    );
    const error = new FaultError(
      'JOURNAL_WRITE_FAILED',
      `cannot write to the journal ${this.path}: ${messageOf(cause)}`,
      {
        details: {
          path: this.path,
          lost_records: batch.length + this.#waiting.length,
          torn_part_truncated: truncated,
        },
        cause,
      },
    );
    this.#ended = error;
    for (const { reject } of [...batch, ...this.#waiting.splice(0)]) reject(error);
  }

  /** Waits for the appends under way and lets go of the file. A second call does nothing. */
  async close(): Promise<void> {
    await this.#flushing;
    if (this.#ended?.code === 'JOURNAL_CLOSED') return;
    this.#ended = new MeshproofError('JOURNAL_CLOSED', `the journal ${this.path} is closed`, {
      details: { path: this.path },
    });
    await this.#file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
