import * as z from 'zod';
import { ML_DSA_65 } from '../../kit/signing.ts';

const HEX_SEED = new RegExp(`^[0-9a-f]{${ML_DSA_65.seedBytes * 2}}$`);

/** A key file: the 32-byte seed of an ML-DSA-65 key pair and the id that it must give, which shows damage. */
const keyFileSchema = z.strictObject({
  format: z.literal('meshproof.key.v1'),
  algorithm: z.literal('ml-dsa-65'),
  id: z.string().regex(/^[0-9a-f]{64}$/),
  seed: z.string().regex(HEX_SEED),
});

export interface StoredKey {
  /** SHA-256 of the public key, hex. */
  readonly id: string;
  readonly seed: Uint8Array;
}

export function formatKey({ id, seed }: StoredKey): string {
  const document: z.infer<typeof keyFileSchema> = {
    format: 'meshproof.key.v1',
    algorithm: 'ml-dsa-65',
    id,
    seed: Buffer.from(seed).toString('hex'),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** What is wrong is said without quoting the file: it may hold most of a secret. */
export function parseKey(text: string): StoredKey | { readonly why: string } {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return { why: text.trim() === '' ? 'it is empty' : 'it is not JSON' };
  }
  const parsed = keyFileSchema.safeParse(document);
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join('.') || 'the document';
    return { why: `${field} is not as a meshproof.key.v1 file has it` };
  }
  return { id: parsed.data.id, seed: new Uint8Array(Buffer.from(parsed.data.seed, 'hex')) };
}
