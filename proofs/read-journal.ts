import { createReadStream } from 'node:fs';
import { FaultError, messageOf } from '../kit/errors.ts';
import type { JournalEntry } from './evidence.ts';
import { JournalVerifier, type TornTail } from './journal-line.ts';

export interface Journal {
  readonly entries: readonly JournalEntry[];
  /** An append that was cut off, or null; only ever the last line. */
  readonly torn: TornTail | null;
}

async function* chunksOf(source: string | Uint8Array): AsyncGenerator<Buffer> {
  if (typeof source !== 'string') {
    yield Buffer.from(source.buffer, source.byteOffset, source.byteLength);
    return;
  }
  try {
    for await (const chunk of createReadStream(source)) yield chunk;
  } catch (error) {
    throw new FaultError('JOURNAL_UNREADABLE', `cannot read ${source}: ${messageOf(error)}`, {
      details: { path: source },
      cause: error,
    });
  }
}

/**
 * Reads and verifies a journal from its path or its bytes. A torn last line is what a crash leaves and is reported;
 * any other damage is an error that names the line.
 * @throws JournalBrokenError `JOURNAL_BROKEN`; FaultError `JOURNAL_UNREADABLE`
 */
export async function readJournal(source: string | Uint8Array): Promise<Journal> {
  const verifier = new JournalVerifier(typeof source === 'string' ? source : 'journal');
  const entries: JournalEntry[] = [];
  for await (const chunk of chunksOf(source)) {
    for (const entry of verifier.push(chunk)) entries.push(entry);
  }
  return { entries, torn: verifier.end() };
}
