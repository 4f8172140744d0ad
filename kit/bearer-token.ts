import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { codeOf, FaultError } from './errors.ts';

const SHORTEST_KEPT = 32; // characters; a shorter file is a truncated one and is replaced

/**
 * The bearer token in the file at `path`, or a fresh one (32 random bytes as hex) that is written there when there is
 * none. The file is 0600 and survives restarts.
 * @throws FaultError `TOKEN_UNUSABLE`
 */
export async function loadToken(path: string): Promise<string> {
  try {
    const kept = await readFile(path, 'utf8').catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return '';
      throw error;
    });
    if (kept.trim().length >= SHORTEST_KEPT) {
      await chmod(path, 0o600);
      return kept.trim();
    }
    const token = randomBytes(32).toString('hex');
    await writeFile(path, token, { mode: 0o600 });
    await chmod(path, 0o600);
    return token;
  } catch (cause) {
    throw new FaultError('TOKEN_UNUSABLE', `cannot read or write the token file ${path}: ${codeOf(cause)}`, {
      details: { path },
      cause,
    });
  }
}

/** Compares a presented `Authorization` header in constant time, over SHA-256 digests of presented and stored token. */
export class BearerCheck {
  readonly #digest: Uint8Array;

  constructor(token: string) {
    this.#digest = sha256(token);
  }

  accepts(header: string | undefined): boolean {
    const presented = /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1];
    return presented !== undefined && timingSafeEqual(sha256(presented), this.#digest);
  }
}

function sha256(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
