import { MeshproofError } from '../../kit/errors.ts';
import { MerkleTree } from '../../kit/merkle.ts';
import { type BatchProof, batchStatement, MAX_BATCH } from './message.ts';
import { fromHex } from './wire-hex.ts';

interface Waiting {
  readonly id: string;
  readonly bytes: number;
  readonly resolve: (proof: BatchProof) => void;
  readonly reject: (reason: unknown) => void;
}

interface BatchSignerOptions {
  readonly maxQueued: number;
  readonly maxQueuedBytes: number;
}

/** The publish queue is full or closed; the caller may try again later (`PUBLISH_QUEUE_FULL` is HTTP 503). */
export class PublishError extends MeshproofError {}

/**
 * Signs message ids in batches clocked by the signer itself: what arrives while one signature is being made is
 * covered by the next, over the Merkle root of at most 64 ids. No timer and no added wait: a lone message is signed
 * at once, a burst pays one signature (0.9 ms) for many.
 */
export class BatchSigner {
  readonly #options: BatchSignerOptions;
  readonly #sign: (statement: Uint8Array) => Promise<Uint8Array>;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #isSigning = false;
  #closed: PublishError | undefined;

  constructor(options: BatchSignerOptions, modules: { sign(statement: Uint8Array): Promise<Uint8Array> }) {
    this.#options = options;
    this.#sign = (statement) => modules.sign(statement);
  }

  /**
   * The proof for `id`, whose message holds `bytes` of memory meanwhile.
   * @throws PublishError `PUBLISH_QUEUE_FULL`, `PUBSUB_STOPPED`; the signal's reason when it aborts before signing
   */
  proofFor(id: string, bytes: number, signal?: AbortSignal): Promise<BatchProof> {
    if (this.#closed) return Promise.reject(this.#closed);
    const { maxQueued, maxQueuedBytes } = this.#options;
    if (this.#queue.length >= maxQueued || this.#queuedBytes + bytes > maxQueuedBytes) {
      const details = { queued: this.#queue.length, queued_bytes: this.#queuedBytes };
      return Promise.reject(
        new PublishError('PUBLISH_QUEUE_FULL', 'too many messages wait to be signed; publish more slowly', {
          details,
        }),
      );
    }
    return new Promise((resolve, reject) => {
      const waiting = { id, bytes, resolve, reject };
      this.#queue.push(waiting);
      this.#queuedBytes += bytes;
      if (signal) this.#watch(waiting, signal);
      if (!this.#isSigning) void this.#signAll();
    });
  }

  /** Refuses what waits and all that comes. */
  close(): void {
    this.#closed = new PublishError('PUBSUB_STOPPED', 'the node is stopping');
    for (const { reject } of this.#take(this.#queue.length)) reject(this.#closed);
  }

  async #signAll(): Promise<void> {
    this.#isSigning = true;
    while (this.#queue.length > 0) {
      const batch = this.#take(MAX_BATCH);
      try {
        const tree = new MerkleTree(batch.map(({ id }) => fromHex(id)));
        const signature = await this.#sign(batchStatement(tree.size, tree.root));
        for (const [leafIndex, { resolve }] of batch.entries()) {
          resolve({ leafIndex, treeSize: tree.size, path: tree.auditPath(leafIndex), signature });
        }
      } catch (cause) {
        const error = new PublishError('PUBLISH_NOT_SIGNED', 'the agent key could not sign', { cause });
        for (const { reject } of batch) reject(error);
      }
    }
    this.#isSigning = false;
  }

  #take(count: number): Waiting[] {
    const batch = this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    for (const { bytes } of batch) this.#queuedBytes -= bytes;
    return batch;
  }

  #watch(waiting: Waiting, signal: AbortSignal): void {
    const onAbort = () => {
      const at = this.#queue.indexOf(waiting);
      if (at < 0) return; // it is being signed; a signed message goes out
      this.#queue.splice(at, 1);
      this.#queuedBytes -= waiting.bytes;
      waiting.reject(signal.reason);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  }
}
