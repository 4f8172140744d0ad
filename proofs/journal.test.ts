import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../kit/clock.ts';
import type { EvidenceRecord } from './evidence.ts';
import { type JournalFile, JournalWriter } from './journal.ts';
import { readJournal } from './read-journal.ts';

let directory: string;
let files = 0;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'journal-'));
});
afterAll(() => rm(directory, { recursive: true }));

const clock = new VirtualClock(1_000);
const started: EvidenceRecord = {
  type: 'run_started',
  run_id: 'r1',
  version: '0.1.0',
  command: ['soak'],
  environment: {},
};
const interrupted = (signal: string): EvidenceRecord => ({ type: 'run_interrupted', signal });

function freshPath(): string {
  files += 1;
  return join(directory, `${files}.ndjson`);
}

const anyRecord: fc.Arbitrary<EvidenceRecord> = fc.oneof(
  fc.record({ type: fc.constant('run_interrupted' as const), signal: fc.string({ unit: 'binary' }) }),
  fc.record({
    type: fc.constant('mesh_ready' as const),
    after_ms: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value)),
    live_links: fc.integer(),
  }),
  fc.record({
    type: fc.constant('harness_fault' as const),
    code: fc.string(),
    message: fc.string({ unit: 'grapheme' }),
    details: fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.array(fc.string())),
      { noNullPrototype: true },
    ),
  }),
);

/** A file handle whose `n`-th sync or write fails, and which keeps no more than `room` bytes. */
async function failingFile(
  path: string,
  fails: { readonly syncAt?: number; readonly room?: number; readonly truncate?: 'fails' },
): Promise<JournalFile> {
  const handle = await open(path, 'wx');
  let syncs = 0;
  const refuse = (code: string) => Object.assign(new Error(`${code}: no luck`), { code });
  return {
    write: (async (bytes: Buffer, offset: number, length: number, position: number) => {
      const room = Math.max(0, (fails.room ?? Number.POSITIVE_INFINITY) - position);
      if (room === 0) throw refuse('ENOSPC');
      return await handle.write(bytes, offset, Math.min(length, room), position);
    }) as JournalFile['write'],
    async datasync() {
      syncs += 1;
      if (syncs === fails.syncAt) throw refuse('EIO');
    },
    async truncate(length) {
      if (fails.truncate) throw refuse('EIO');
      await handle.truncate(length);
    },
    close: () => handle.close(),
  };
}

describe('JournalWriter', () => {
  it('gives back any sequence of records, in order and unchanged', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyRecord, { maxLength: 12 }), async (records) => {
        const path = freshPath();
        const writer = await JournalWriter.create(path, { runId: 'r1', clock });
        const written = await Promise.all(records.map((record) => writer.append(record)));
        await writer.close();
        const { entries, torn } = await readJournal(path);
        expect(torn).toBeNull();
        expect(entries).toEqual(written);
        expect(entries.map(({ record }) => record)).toEqual(records);
      }),
      { numRuns: 40 },
    );
  });

  it('makes many waiting appends durable with one sync, and none resolves before it', async () => {
    const path = freshPath();
    let syncs = 0;
    const openFile = async (at: string) => {
      const handle = await open(at, 'wx');
      return Object.assign(handle, {
        datasync: async () => {
          syncs += 1;
        },
      });
    };
    const writer = await JournalWriter.create(path, { runId: 'r1', clock, openFile });
    const syncsSeen = await Promise.all(
      Array.from({ length: 500 }, (_, at) => writer.append(interrupted(`s${at}`)).then(() => syncs)),
    );
    expect(new Set(syncsSeen)).toEqual(new Set([1]));
    await writer.append(interrupted('later')).then(() => writer.append(interrupted('at once after')));
    expect(syncs).toBe(3);
    await writer.close();
  });

  it('refuses a record that is not evidence and goes on', async () => {
    const path = freshPath();
    const writer = await JournalWriter.create(path, { runId: 'r1', clock });
    await writer.append(started);
    const bad = { type: 'mesh_ready', after_ms: Number.NaN, live_links: 1 } as const;
    await expect(writer.append(bad)).rejects.toMatchObject({ code: 'JOURNAL_RECORD_INVALID' });
    await writer.append(interrupted('SIGINT'));
    await writer.close();
    expect((await readJournal(path)).entries.map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it('never writes over a journal that is there', async () => {
    const path = freshPath();
    await (await JournalWriter.create(path, { runId: 'r1', clock })).close();
    await expect(JournalWriter.create(path, { runId: 'r1', clock })).rejects.toMatchObject({
      code: 'JOURNAL_EXISTS',
    });
  });

  it('names the path when its directory is not there', async () => {
    const path = join(directory, 'nowhere', 'journal.ndjson');
    await expect(JournalWriter.create(path, { runId: 'r1', clock })).rejects.toMatchObject({
      code: 'JOURNAL_WRITE_FAILED',
      message: expect.stringContaining(path),
    });
  });

  it('refuses appends after close, and a second close does nothing', async () => {
    const writer = await JournalWriter.create(freshPath(), { runId: 'r1', clock });
    await writer.close();
    await writer.close();
    await expect(writer.append(started)).rejects.toMatchObject({ code: 'JOURNAL_CLOSED' });
  });

  it.each([
    ['the disk is full', { room: 700 }],
    ['a sync fails', { syncAt: 3 }],
  ])('ends at the last whole record when %s', async (_, fails) => {
    const path = freshPath();
    const writer = await JournalWriter.create(path, {
      runId: 'r1',
      clock,
      openFile: (at) => failingFile(at, fails),
    });
    let durable = 0;
    const lost = await (async () => {
      for (;;) {
        await writer.append(interrupted(`s${durable}`));
        durable += 1;
      }
    })().catch((error: unknown) => error);
    expect(lost).toMatchObject({
      code: 'JOURNAL_WRITE_FAILED',
      message: expect.stringContaining(path),
      details: { path, lost_records: 1, torn_part_truncated: true },
    });
    await expect(writer.append(started)).rejects.toBe(lost);
    await writer.close();
    expect(durable).toBeGreaterThan(0);
    expect(await readJournal(path)).toMatchObject({ entries: { length: durable }, torn: null });
  });

  it('leaves a torn tail that the reader tolerates when it cannot even truncate', async () => {
    const path = freshPath();
    const writer = await JournalWriter.create(path, {
      runId: 'r1',
      clock,
      openFile: (at) => failingFile(at, { room: 600, truncate: 'fails' }),
    });
    await writer.append(started);
    const appends = Array.from({ length: 4 }, () => writer.append(interrupted('s')));
    for (const result of await Promise.allSettled(appends)) {
      expect(result).toMatchObject({ reason: { details: { torn_part_truncated: false, lost_records: 4 } } });
    }
    await writer.close();
    const { entries, torn } = await readJournal(path);
    expect(torn).toEqual({ line: entries.length + 1, bytes: expect.any(Number) });
  });
});

describe('readJournal', () => {
  async function journalBytes(): Promise<Buffer> {
    const path = freshPath();
    const writer = await JournalWriter.create(path, { runId: 'r1', clock });
    await writer.append(started);
    await writer.append({ type: 'mesh_ready', after_ms: 12.5, live_links: 2 });
    await writer.append({ type: 'harness_fault', code: 'X', message: 'ä,"hash":"', details: { hash: 'no' } });
    await writer.append(interrupted('SIGINT'));
    await writer.close();
    return await readFile(path);
  }

  it('detects a change of any single byte', async () => {
    const intact = await journalBytes();
    await fc.assert(
      fc.asyncProperty(fc.nat(intact.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = Buffer.from(intact);
        changed[at] = (intact[at] ?? 0) ^ flip;
        await expect(readJournal(changed)).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
      }),
      { numRuns: 2_000 },
    );
    for (let at = 0; at < intact.length; at += 1) {
      const changed = Buffer.from(intact);
      changed[at] = (intact[at] ?? 0) ^ 1;
      await expect(readJournal(changed), `byte ${at}`).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
    }
  });

  it('detects a change of any byte before a torn tail', async () => {
    const intact = await journalBytes();
    const cut = intact.subarray(0, intact.length - 20);
    const tornFrom = cut.lastIndexOf(0x0a) + 1;
    for (let at = 0; at < tornFrom; at += 1) {
      const changed = Buffer.from(cut);
      changed[at] = (cut[at] ?? 0) ^ 4;
      await expect(readJournal(changed), `byte ${at}`).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
    }
  });

  it('reads a journal cut at any byte as a prefix of the whole', async () => {
    const intact = await journalBytes();
    const { entries: all } = await readJournal(intact);
    for (let cut = 0; cut <= intact.length; cut += 1) {
      const bytes = intact.subarray(0, cut);
      const wholeBytes = bytes.lastIndexOf(0x0a) + 1;
      const { entries, torn } = await readJournal(bytes);
      expect(entries).toEqual(all.slice(0, entries.length));
      expect(entries).toHaveLength(bytes.subarray(0, wholeBytes).filter((byte) => byte === 0x0a).length);
      expect(torn).toEqual(cut === wholeBytes ? null : { line: entries.length + 1, bytes: cut - wholeBytes });
    }
  });

  it.each([
    ['a removed line', (lines: string[]) => lines.toSpliced(1, 1), 'seq', 2],
    ['swapped lines', ([a, b, c, d]: string[]) => [a, c, b, d], 'seq', 2],
    ['a doubled line', (lines: string[]) => lines.toSpliced(2, 0, lines[1] ?? ''), 'seq', 3],
    ['an empty line', (lines: string[]) => lines.toSpliced(1, 0, ''), 'json', 2],
    ['a line without a hash', (lines: string[]) => lines.toSpliced(3, 1, '{"seq":4}'), 'hash', 4],
  ])('names the line and the difference of %s', async (_, change, what, line) => {
    const lines = (await journalBytes()).toString('utf8').split('\n').slice(0, -1);
    const bytes = Buffer.from(`${change(lines).join('\n')}\n`);
    await expect(readJournal(bytes)).rejects.toMatchObject({
      code: 'JOURNAL_BROKEN',
      details: { line, what },
    });
  });

  it('refuses a journal that is chained to another run', async () => {
    const path = freshPath();
    const writer = await JournalWriter.create(path, { runId: 'another', clock });
    await writer.append(started);
    await writer.close();
    await expect(readJournal(path)).rejects.toMatchObject({
      code: 'JOURNAL_BROKEN',
      details: { file: path, line: 1, what: 'prev' },
    });
  });

  it('names a journal that it cannot read', async () => {
    const path = join(directory, 'not-there.ndjson');
    await expect(readJournal(path)).rejects.toMatchObject({
      code: 'JOURNAL_UNREADABLE',
      message: expect.stringContaining(path),
    });
  });
});
