import type { EvidenceRecord, StoredDocument } from '../../proofs/evidence.ts';
import type { JournalWriter } from '../../proofs/journal.ts';
import { type Observation, seen } from '../../proofs/observation.ts';
import type { Plan } from '../../proofs/plan-schema.ts';
import type { DocumentToStore, ProofDirectory } from '../../proofs/proof-directory.ts';

/**
 * Writes the evidence of a run, and keeps in memory what the verdict of a window that has just ended needs: that window,
 * and the last one before it that was sampled, whose closing samples are its baseline. The verdict of the run itself is
 * made from the proof on disk.
 */
export class RunLedger {
  readonly #journal: Pick<JournalWriter, 'append'>;
  readonly #directory: Pick<ProofDirectory, 'storeDocument'>;
  #records: EvidenceRecord[] = [];
  readonly #documents = new Map<string, { readonly window: number; readonly body: Observation<unknown> }>();

  constructor(modules: {
    readonly journal: Pick<JournalWriter, 'append'>;
    readonly directory: Pick<ProofDirectory, 'storeDocument'>;
  }) {
    this.#journal = modules.journal;
    this.#directory = modules.directory;
  }

  /** Durable when it resolves. */
  async record(record: EvidenceRecord): Promise<void> {
    await this.#journal.append(record);
    // The schedule is judged over the whole soak only.
    const isOfSchedule =
      record.type === 'telemetry_skipped' || (record.type === 'sample' && record.phase === 'schedule');
    if (!isOfSchedule) this.#records.push(record);
  }

  async storeDocument(
    document: DocumentToStore & { readonly window: number; readonly body: unknown },
  ): Promise<StoredDocument> {
    const { body, ...stored } = document;
    const entry = await this.#directory.storeDocument(stored);
    this.#documents.set(entry.file, { window: document.window, body: seen(body) });
    return entry;
  }

  /** The evidence for the verdict of `window`, which has just ended; older windows than its baseline are let go. */
  evidenceOf(plan: Plan, window: number) {
    const sampled = this.#records.flatMap((record) => (record.type === 'sample' ? [record.window ?? 0] : []));
    const baseline = Math.max(0, ...sampled.filter((earlier) => earlier < window));
    const isNeeded = (of: number | null) => of === null || of === baseline || of >= window;
    this.#records = this.#records.filter((record) => isNeeded('window' in record ? record.window : null));
    for (const [file, { window: of }] of this.#documents) if (!isNeeded(of)) this.#documents.delete(file);
    return {
      plan,
      windows: [window],
      records: this.#records,
      documents: new Map([...this.#documents].map(([file, { body }]) => [file, body])),
      torn: false,
    };
  }
}
