import { randomUUID } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, UsageError } from '../../kit/errors.ts';
import { ML_DSA_65, type Signing } from '../../kit/signing.ts';
import { xdgDirectory } from '../../kit/xdg-directory.ts';
import { OperatorKey } from '../matrix/operator-key.ts';

const READABLE_BY_OTHERS = 0o077;
const SEED_HEX = new RegExp(`^[0-9a-f]{${2 * ML_DSA_65.seedBytes}}$`);

/** Where the operator's key lies unless a flag says otherwise: `~/.config/meshproof/operator.key`. */
export function operatorKeyFile(): string {
  return join(xdgDirectory('XDG_CONFIG_HOME'), 'meshproof', 'operator.key');
}

/**
 * The key that deployed runners obey, from `file`. The file holds the 32-byte seed of an ML-DSA-65 key as hex.
 * @throws UsageError `OPERATOR_KEY_MISSING`, `OPERATOR_KEY_EXPOSED` when others may read it, `OPERATOR_KEY_INVALID`
 */
export async function loadOperatorKey(file: string, signing: Pick<Signing, 'signer'>): Promise<OperatorKey> {
  const seed = await readSeed(file);
  if (seed !== null) return new OperatorKey(await signing.signer(seed));
  throw new UsageError(
    'OPERATOR_KEY_MISSING',
    `${file}: there is no operator key; "meshproof deploy" makes one and tells the hosts to obey it`,
    { details: { file } },
  );
}

/** As `loadOperatorKey`, and makes the key (directory 0700, file 0600) where there is none. */
export async function ensureOperatorKey(
  file: string,
  signing: Pick<Signing, 'signer' | 'freshSeed'>,
): Promise<OperatorKey> {
  if ((await readSeed(file)) === null) await writeSeed(file, signing.freshSeed());
  return await loadOperatorKey(file, signing);
}

async function readSeed(file: string): Promise<Uint8Array | null> {
  const refuse = (code: string, why: string, cause?: unknown) =>
    new UsageError(code, `${file}: ${why}`, { details: { file }, cause });
  try {
    const { mode } = await stat(file);
    if ((mode & READABLE_BY_OTHERS) !== 0) {
      const found = (mode & 0o777).toString(8).padStart(4, '0');
      throw refuse('OPERATOR_KEY_EXPOSED', `others may read this key (mode ${found}); expected 0600`);
    }
    const text = (await readFile(file, 'utf8')).trim();
    if (!SEED_HEX.test(text))
      throw refuse(
        'OPERATOR_KEY_INVALID',
        `not an operator key: expected ${2 * ML_DSA_65.seedBytes} hex characters`,
      );
    return Buffer.from(text, 'hex');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    if (error instanceof UsageError) throw error;
    throw refuse('OPERATOR_KEY_INVALID', `cannot be read: ${codeOf(error)}`, error);
  }
}

/** Whole or not at all; when two do it at once, the first one's key is the key. */
async function writeSeed(file: string, seed: Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const written = `${file}.${randomUUID()}`;
  try {
    await writeFile(written, `${Buffer.from(seed).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
    await chmod(written, 0o600);
    await link(written, file);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    await rm(written, { force: true });
  }
}
