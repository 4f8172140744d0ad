import * as z from 'zod';
import { FaultError, type JsonObject } from '../kit/errors.ts';
import { sha256Hex } from '../kit/hash.ts';
import { type EvidenceRecord, type JournalEntry, recordSchema } from './evidence.ts';

/**
 * The journal's format, `meshproof.journal.v1`: UTF-8, one JSON object and one LF per line, written as
 * `{"seq":…,"at_wall_ms":…,"prev":"…","record":{…},"hash":"…"}` with no space outside strings. `seq` counts from 1.
 * `hash` is the SHA-256, in lowercase hex, of the exact bytes of the line without its LF and without the member
 * `,"hash":"…"` that ends it, that is of `{"seq":…,"at_wall_ms":…,"prev":"…","record":{…}}`. `prev` is the hash of the
 * line before; in the first line it is `genesisOf(run_id)`.
 */
const HASH_KEY = ',"hash":"';
const TAIL_BYTES = HASH_KEY.length + 64 + '"}'.length;

/** The longest line that is written or read, LF aside: a bound for the reader's memory, far above any real record. */
export const MAX_LINE_BYTES = 64 * 1024 * 1024;

const LF = 0x0a;

/** What the first line of a run's journal is chained to. */
export function genesisOf(runId: string): string {
  return sha256Hex(`meshproof.journal.v1\n${runId}`);
}

/** The journal cannot be trusted from `line` on. `details.what` says which check failed. Exit 5. */
export class JournalBrokenError extends FaultError {
  constructor(file: string, line: number, what: BrokenPart, why: string, details: JsonObject = {}) {
    super('JOURNAL_BROKEN', `${file}:${line}: ${what}: ${why}`, {
      details: { file, line, what, why, ...details },
    });
  }
}
export type BrokenPart = 'json' | 'hash' | 'schema' | 'seq' | 'prev' | 'line end' | 'length';

/** One record as a journal line, LF included, and as the entry that a reader gets back. */
export function encodeLine(at: {
  readonly seq: number;
  readonly at_wall_ms: number;
  readonly prev: string;
  readonly record: EvidenceRecord;
}): { readonly entry: JournalEntry; readonly line: Buffer } {
  const { seq, at_wall_ms, prev, record } = at;
  const body = JSON.stringify({ seq, at_wall_ms, prev, record });
  const hash = sha256Hex(body);
  const line = Buffer.from(`${body.slice(0, -1)}${HASH_KEY}${hash}"}\n`);
  return { entry: { seq, at_wall_ms, prev, record, hash }, line };
}

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const lineSchema = z.strictObject({
  seq: z.int().min(1),
  at_wall_ms: z.number(),
  prev: hex64,
  record: recordSchema,
  hash: hex64,
});

const HASH_TAIL = /,"hash":"([0-9a-f]{64})"\}/g;

/** Whether `bytes` begin with a whole, intact line that something other than a LF follows. */
function hidesWholeLine(bytes: Buffer): boolean {
  for (const match of bytes.toString('latin1').matchAll(HASH_TAIL)) {
    const end = match.index + TAIL_BYTES;
    if (end < bytes.length && hashOf(bytes.subarray(0, end)) === match[1]) return true;
  }
  return false;
}

function hashOf(line: Buffer): string {
  return sha256Hex(Buffer.concat([line.subarray(0, line.length - TAIL_BYTES), Buffer.from('}')]));
}

function statedHash(line: Buffer): string | undefined {
  const tail = line.subarray(Math.max(0, line.length - TAIL_BYTES)).toString('latin1');
  return /^,"hash":"([0-9a-f]{64})"\}$/.exec(tail)?.[1];
}

/**
 * Checks line `seq` of `file` (its bytes without the LF) and gives its entry.
 * @throws JournalBrokenError saying which of hash, JSON, schema, seq and prev differs
 */
export function decodeLine(file: string, seq: number, prev: string | null, line: Buffer): JournalEntry {
  const broken = (what: BrokenPart, why: string, details: JsonObject = {}) =>
    new JournalBrokenError(file, seq, what, why, details);
  let parsed: unknown;
  try {
    parsed = JSON.parse(line.toString('utf8'));
  } catch (error) {
    throw broken('json', error instanceof Error ? error.message : 'not JSON');
  }
  const stated = statedHash(line);
  if (stated === undefined) throw broken('hash', 'the line does not end in a hash');
  const actual = hashOf(line);
  if (stated !== actual) {
    throw broken('hash', `the line says ${stated}, its bytes give ${actual}`, {
      expected: actual,
      found: stated,
    });
  }
  const result = lineSchema.safeParse(parsed);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw broken('schema', `${issue?.path.join('.') || 'line'}: ${issue?.message ?? 'does not fit'}`);
  }
  const entry = result.data;
  if (entry.seq !== seq)
    throw broken('seq', `expected ${seq}, found ${entry.seq}`, { expected: seq, found: entry.seq });
  const expected =
    prev ?? (entry.record.type === 'run_started' ? genesisOf(entry.record.run_id) : entry.prev);
  if (entry.prev !== expected) {
    throw broken('prev', `expected ${expected}, found ${entry.prev}`, { expected, found: entry.prev });
  }
  return entry;
}

/** Splits bytes into lines as they arrive and checks each against the one before. */
export class JournalVerifier {
  readonly #file: string;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #seq = 0;
  #prev: string | null = null;

  constructor(file: string) {
    this.#file = file;
  }

  /** The entries that `chunk` completes. @throws JournalBrokenError */
  push(chunk: Buffer): JournalEntry[] {
    const entries: JournalEntry[] = [];
    let from = 0;
    for (let lf = chunk.indexOf(LF); lf >= 0; lf = chunk.indexOf(LF, from)) {
      this.#keep(chunk.subarray(from, lf));
      from = lf + 1;
      const entry = decodeLine(this.#file, this.#seq + 1, this.#prev, Buffer.concat(this.#pending));
      this.#pending = [];
      this.#pendingBytes = 0;
      this.#seq = entry.seq;
      this.#prev = entry.hash;
      entries.push(entry);
    }
    this.#keep(chunk.subarray(from));
    return entries;
  }

  #keep(bytes: Buffer): void {
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes > MAX_LINE_BYTES) {
      throw new JournalBrokenError(
        this.#file,
        this.#seq + 1,
        'length',
        `longer than ${MAX_LINE_BYTES} bytes`,
      );
    }
    if (bytes.length > 0) this.#pending.push(bytes);
  }

  /**
   * What is left after the last byte: a line without its LF is a torn append, unless it holds a whole line whose LF
   * was changed. @throws JournalBrokenError
   */
  end(): TornTail | null {
    if (this.#pendingBytes === 0) return null;
    const tail = Buffer.concat(this.#pending);
    if (hidesWholeLine(tail)) {
      throw new JournalBrokenError(
        this.#file,
        this.#seq + 1,
        'line end',
        'a whole record is not followed by a line feed',
      );
    }
    return { line: this.#seq + 1, bytes: tail.length };
  }
}

/** The unfinished last line of a journal whose writer died in the middle of an append. */
export interface TornTail {
  readonly line: number;
  readonly bytes: number;
}
