import type { EvidenceRecord, StoredDocument } from '../../proofs/evidence.ts';
import type { JournalWriter } from '../../proofs/journal.ts';
import { type Observation, seen } from '../../proofs/observation.ts';
import type { Plan } from '../../proofs/plan-schema.ts';
import type { DocumentToStore, ProofDirectory } from '../../proofs/proof-directory.ts';

/** Windows whose documents stay in memory: the current one and the one whose last sample is its baseline. */
const WINDOWS_IN_MEMORY = 2;

/**
 * What this run has written so far, as the judge wants it, for the verdict of a window that has just ended. The
 * verdict of the run itself is made from the proof on disk.
 */
export class RunLedger {
  readonly #journal: JournalWriter;
  readonly #directory: ProofDirectory;
  readonly #records: EvidenceRecord[] = [];
  readonly #documents = new Map<string, { readonly window: number; readonly body: Observation<unknown> }>();

  constructor(modules: { readonly journal: JournalWriter; readonly directory: ProofDirectory }) {
    this.#journal = modules.journal;
    this.#directory = modules.directory;
  }

  /** Durable when it resolves. */
  async record(record: EvidenceRecord): Promise<void> {
    await this.#journal.append(record);
    if (record.type !== 'sample' || record.phase !== 'schedule') this.#records.push(record);
  }

  async storeDocument(
    document: DocumentToStore & { readonly window: number; readonly body: unknown },
  ): Promise<StoredDocument> {
    const { body, ...stored } = document;
    const entry = await this.#directory.storeDocument(stored);
    this.#documents.set(entry.file, { window: document.window, body: seen(body) });
    return entry;
  }

  /** The evidence of a plan that ended with `window`. */
  evidenceUpTo(plan: Plan, window: number) {
    for (const [file, { window: of }] of this.#documents) {
      if (of <= window - WINDOWS_IN_MEMORY) this.#documents.delete(file);
    }
    return {
      plan: { ...plan, windows: { ...plan.windows, count: window } },
      records: this.#records,
      documents: new Map([...this.#documents].map(([file, { body }]) => [file, body])),
      torn: false,
    };
  }
}
