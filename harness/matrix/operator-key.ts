import type { Signer, Signing } from '../../kit/signing.ts';
import { operatorId, sealCommand } from '../../runner/command-envelope.ts';
import type { Command, Envelope } from '../../runner/protocol.ts';

/** The key that runners of one run obey. Its secret lives in this process only and ends with it. */
export class OperatorKey {
  /** SHA-256 of the public key, 64 hex characters. */
  readonly id: string;
  /** What goes into every runner's `operator_keys`. */
  readonly publicKeyBase64: string;
  readonly #signer: Signer;

  constructor(signer: Signer) {
    this.#signer = signer;
    this.id = operatorId(signer.publicKey);
    this.publicKeyBase64 = Buffer.from(signer.publicKey).toString('base64');
  }

  seal(command: Command): Promise<Envelope> {
    return sealCommand(command, this.#signer);
  }
}

/** A fresh operator key for one run. */
export async function createOperatorKey(
  signing: Pick<Signing, 'freshSeed' | 'signer'>,
): Promise<OperatorKey> {
  return new OperatorKey(await signing.signer(signing.freshSeed()));
}
