import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { codeOf, messageOf } from '../kit/errors.ts';
import { sha256Hex } from '../kit/hash.ts';
import type { EvidenceRecord, StoredDocument } from './evidence.ts';
import { isSeen, missing, type Observation, seen } from './observation.ts';
import { isInsideProof } from './path-names.ts';

const READS_AT_ONCE = 16;

/** Every raw document that the records name, by file; null for a file that two records describe differently. */
function recordedDocuments(records: readonly EvidenceRecord[]): Map<string, StoredDocument | null> {
  const byFile = new Map<string, StoredDocument | null>();
  for (const record of records) {
    if (record.type !== 'sample') continue;
    for (const observed of Object.values(record.documents)) {
      if (!isSeen(observed)) continue;
      const earlier = byFile.get(observed.seen.file);
      const differs = earlier !== undefined && earlier?.sha256 !== observed.seen.sha256;
      byFile.set(observed.seen.file, differs ? null : observed.seen);
    }
  }
  return byFile;
}

async function readDocument(
  dir: string,
  file: string,
  stored: StoredDocument | null,
): Promise<Observation<unknown>> {
  if (stored === null) return missing('unreadable', `${file}: two records give different digests`);
  if (!isInsideProof(file)) return missing('unreadable', `${file}: lies outside the proof directory`);
  let bytes: Buffer;
  try {
    bytes = await readFile(join(dir, file));
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'is not there any more' : messageOf(error);
    return missing('unreadable', `${file}: ${why}`);
  }
  const actual = sha256Hex(bytes);
  if (actual !== stored.sha256) {
    return missing(
      'unreadable',
      `${file}: changed since it was recorded (SHA-256 ${actual}, recorded ${stored.sha256})`,
    );
  }
  try {
    const body: unknown = JSON.parse(bytes.toString('utf8'));
    return seen(body);
  } catch (error) {
    return missing('unreadable', `${file}: ${messageOf(error)}`);
  }
}

/** Loads the raw documents that the records name. What is gone, changed or no JSON is a missing observation that says why. */
export async function readDocuments(
  dir: string,
  records: readonly EvidenceRecord[],
): Promise<ReadonlyMap<string, Observation<unknown>>> {
  const limit = pLimit(READS_AT_ONCE);
  const recorded = [...recordedDocuments(records)];
  return new Map(
    await Promise.all(
      recorded.map(([file, stored]) =>
        limit(async () => [file, await readDocument(dir, file, stored)] as const),
      ),
    ),
  );
}
