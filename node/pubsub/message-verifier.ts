import { BoundedMap } from '../../kit/bounded.ts';
import type { Signing } from '../../kit/signing.ts';
import { batchRoot, batchStatement, type SignedMessage } from './message.ts';
import { toHex } from './wire-hex.ts';

const MAX_VERIFIED_ROOTS = 1_024; // 3.4 KiB each

/**
 * Checks that an origin's signature covers a message: the audit path leads to the batch root, and the signature
 * covers the root. One signature check serves a whole batch, concurrent ones included. A verified root is
 * remembered with its exact signature, so that a relay cannot swap the signature and have the next node blame us.
 */
export class MessageVerifier {
  readonly #signing: Pick<Signing, 'verify'>;
  readonly #verified = new BoundedMap<string, Uint8Array>({ max: MAX_VERIFIED_ROOTS });
  readonly #inFlight = new Map<
    string,
    { readonly signature: Uint8Array; readonly result: Promise<boolean> }
  >();

  constructor(modules: { signing: Pick<Signing, 'verify'> }) {
    this.#signing = modules.signing;
  }

  /** True at once when the batch is known to be good; otherwise a promise of the answer, or false for a bad path. */
  verify(message: SignedMessage, publicKey: Uint8Array): boolean | Promise<boolean> {
    const { origin, proof } = message;
    const root = batchRoot(message);
    if (!root) return false;
    const batch = `${origin}${proof.treeSize}:${toHex(root)}`;
    const known = this.#verified.get(batch);
    if (known && isEqual(known, proof.signature)) return true;
    const running = this.#inFlight.get(batch);
    if (running && isEqual(running.signature, proof.signature)) return running.result;
    const statement = batchStatement(proof.treeSize, root);
    const result = this.#check(batch, { publicKey, statement, signature: proof.signature });
    // A second signature over a root that is being checked waits for nobody and is not shared.
    if (!running) this.#inFlight.set(batch, { signature: proof.signature, result });
    return result;
  }

  async #check(
    batch: string,
    {
      publicKey,
      statement,
      signature,
    }: { publicKey: Uint8Array; statement: Uint8Array; signature: Uint8Array },
  ): Promise<boolean> {
    try {
      const isGood = await this.#signing.verify(publicKey, statement, signature);
      if (isGood) {
        this.#verified.delete(batch); // so that the newest signature also has the newest age
        this.#verified.set(batch, new Uint8Array(signature));
      }
      return isGood;
    } finally {
      if (this.#inFlight.get(batch)?.signature === signature) this.#inFlight.delete(batch);
    }
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
