import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { codeOf, FaultError, messageOf, UsageError } from '../kit/errors.ts';
import { sha256Hex } from '../kit/hash.ts';
import type { EvidenceRecord, JournalEntry } from './evidence.ts';
import { genesisOf, JournalBrokenError, type TornTail } from './journal-line.ts';
import type { Observation } from './observation.ts';
import { type Plan, planSchema } from './plan-schema.ts';
import { PROOF_LAYOUT } from './proof-directory.ts';
import { readDocuments } from './read-documents.ts';
import { readJournal } from './read-journal.ts';

/** A proof as it lies on disk, verified against its own journal. */
export interface Proof {
  readonly dir: string;
  readonly plan: Plan;
  readonly planSha256: string;
  /** The gate definition that the plan was sealed with. */
  readonly gateText: string;
  readonly entries: readonly JournalEntry[];
  readonly records: readonly EvidenceRecord[];
  /** Not null when the writer died in the middle of an append. */
  readonly torn: TornTail | null;
  /** The raw documents by the file that records name; what is gone, changed or no JSON is missing and says why. */
  readonly documents: ReadonlyMap<string, Observation<unknown>>;
}

async function readSealed(path: string, missingCode: string, what: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'is not there' : messageOf(error);
    throw new FaultError(missingCode, `${path}: ${why}; without ${what} the proof cannot be judged`, {
      details: { path },
      cause: error,
    });
  }
}

function changed(code: string, path: string, sealed: string, actual: string): FaultError {
  return new FaultError(code, `${path} was changed: its SHA-256 is ${actual}, sealed was ${sealed}`, {
    details: { path, sealed_sha256: sealed, actual_sha256: actual },
  });
}

async function requireJournal(dir: string): Promise<string> {
  const path = join(dir, PROOF_LAYOUT.journal);
  try {
    if ((await stat(path)).isFile()) return path;
  } catch (error) {
    const absent = ['ENOENT', 'ENOTDIR'].includes(codeOf(error));
    if (!absent)
      throw new FaultError('JOURNAL_UNREADABLE', `cannot read ${path}: ${messageOf(error)}`, {
        cause: error,
      });
  }
  throw new UsageError('NOT_A_PROOF', `${dir} is not a proof directory: it has no ${PROOF_LAYOUT.journal}`, {
    details: { dir },
  });
}

function parsePlan(bytes: Buffer): Plan | undefined {
  try {
    return planSchema.safeParse(JSON.parse(bytes.toString('utf8'))).data;
  } catch {
    return undefined; // no JSON is no plan, which the caller tells
  }
}

async function readPlan(
  dir: string,
  records: readonly EvidenceRecord[],
): Promise<Pick<Proof, 'plan' | 'planSha256'>> {
  const path = join(dir, PROOF_LAYOUT.plan);
  const sealed = records.find((record) => record.type === 'plan_sealed');
  if (sealed === undefined) {
    throw new FaultError(
      'PLAN_MISSING',
      `${join(dir, PROOF_LAYOUT.journal)}: no plan was sealed; the run never began`,
      {
        details: { path },
      },
    );
  }
  const bytes = await readSealed(path, 'PLAN_MISSING', 'its plan');
  const actual = sha256Hex(bytes);
  if (actual !== sealed.plan_sha256) throw changed('PLAN_CHANGED', path, sealed.plan_sha256, actual);
  if (!isDeepStrictEqual(parsePlan(bytes), sealed.plan)) {
    throw new FaultError(
      'PLAN_CHANGED',
      `${path} is not the plan that the journal sealed with SHA-256 ${actual}`,
      {
        details: { path, sealed_sha256: sealed.plan_sha256, actual_sha256: actual },
      },
    );
  }
  return { plan: sealed.plan, planSha256: actual };
}

async function readGate(dir: string, plan: Plan): Promise<string> {
  const path = join(dir, PROOF_LAYOUT.gate);
  const bytes = await readSealed(path, 'GATE_MISSING', 'its gate');
  const actual = sha256Hex(bytes);
  if (actual !== plan.gate.sha256) throw changed('GATE_CHANGED', path, plan.gate.sha256, actual);
  return bytes.toString('utf8');
}

/**
 * Reads the proof in `dir` and verifies it: the journal's chain, the plan and the gate against what was sealed, each
 * raw document against its recorded digest.
 * @throws UsageError `NOT_A_PROOF`; FaultError `JOURNAL_BROKEN`, `JOURNAL_UNREADABLE`, `PLAN_MISSING`, `PLAN_CHANGED`,
 * `GATE_MISSING`, `GATE_CHANGED`
 */
export async function readProof(dir: string): Promise<Proof> {
  const path = resolve(dir);
  const journal = await requireJournal(path);
  const { entries, torn } = await readJournal(journal);
  const records = entries.map(({ record }) => record);
  const { plan, planSha256 } = await readPlan(path, records);
  const genesis = genesisOf(plan.run_id);
  const first = entries[0];
  if (first && first.prev !== genesis) {
    throw new JournalBrokenError(journal, 1, 'prev', `not chained to run ${plan.run_id}`, {
      expected: genesis,
      found: first.prev,
    });
  }
  const gateText = await readGate(path, plan);
  const documents = await readDocuments(path, records);
  return { dir: path, plan, planSha256, gateText, entries, records, torn, documents };
}
