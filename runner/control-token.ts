import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { codeOf, FaultError } from '../kit/errors.ts';

const SHORTEST = 32; // characters

/**
 * The bearer token of the control endpoint: what stands in the file at `path`, or 32 fresh random bytes as hex,
 * written there with mode 0600.
 * @throws FaultError `CONTROL_TOKEN_UNUSABLE`
 */
export function loadControlToken(path: string): string {
  try {
    try {
      const fresh = randomBytes(32).toString('hex');
      const file = openSync(path, 'wx', 0o600);
      writeSync(file, fresh);
      closeSync(file);
      return fresh;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    const kept = readFileSync(path, 'utf8').trim();
    if (kept.length >= SHORTEST) return kept;
  } catch (cause) {
    throw new FaultError(
      'CONTROL_TOKEN_UNUSABLE',
      `cannot read or write the control token ${path}: ${codeOf(cause)}`,
      {
        details: { path },
        cause,
      },
    );
  }
  throw new FaultError(
    'CONTROL_TOKEN_UNUSABLE',
    `the control token ${path} is too short; remove it to have it made anew`,
    {
      details: { path },
    },
  );
}

/** Whether an `Authorization` header carries `token`; compared in constant time over digests. */
export function carriesToken(header: string | undefined, token: string): boolean {
  const presented = /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1];
  return presented !== undefined && timingSafeEqual(digest(presented), digest(token));
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
