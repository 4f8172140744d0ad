import { readFile } from 'node:fs/promises';
import { replaceFile } from '../../kit/durable-file.ts';
import { UsageError } from '../../kit/errors.ts';
import { fetchHostKey } from './fetch-host-key.ts';
import { findTarget, readInventory } from './inventory.ts';
import { recordHostKey } from './record-host-key.ts';
import type { Terminal } from './terminal.ts';

interface TrustRequest {
  /** The inventory that is to hold the key. */
  readonly file: string;
  /** A host or jump host in it. */
  readonly name: string;
  /** What the key must be; null asks the person at the terminal. */
  readonly expected: string | null;
}

/** What became of it, and the key that the host showed. */
export interface TrustedHost {
  readonly fingerprint: string;
  readonly outcome: 'recorded' | 'pinned already';
}

/**
 * Records the key that a host shows, once it is said to be the host's own. Nothing is believed by itself: whoever
 * stands in between would show a key as well.
 * @throws UsageError `HOST_KEY_NOT_CONFIRMED`, `HOST_KEY_NOT_EXPECTED`; HostError when the host cannot be asked
 */
export async function trustHost(
  { file, name, expected }: TrustRequest,
  terminal: Terminal | null,
  signal: AbortSignal,
): Promise<TrustedHost> {
  const target = findTarget(await readInventory(file), name);
  const { fingerprint, type } = await fetchHostKey(target, signal);
  if (target.hostKey === fingerprint && (expected ?? fingerprint) === fingerprint) {
    return { fingerprint, outcome: 'pinned already' };
  }
  const was = target.hostKey === null ? '' : `, in place of ${target.hostKey}`;
  const shows = `${name} shows ${type} ${fingerprint}${was}`;
  const refuse = (code: string, message: string) =>
    new UsageError(code, message, { details: { host: name, shown: fingerprint, pinned: target.hostKey } });

  if (expected === null) {
    if (terminal === null) {
      const say = "compare it with the host's own, then say it with --fingerprint, or answer at a terminal";
      throw refuse('HOST_KEY_NOT_CONFIRMED', `${shows}: ${say}`);
    }
    const answer = await terminal.ask(`${shows}. Trust it? [y/N] `, signal);
    if (!/^y(es)?$/i.test(answer)) {
      throw refuse('HOST_KEY_NOT_CONFIRMED', `${name} is not trusted: nothing was changed`);
    }
  } else if (expected !== fingerprint) {
    throw refuse('HOST_KEY_NOT_EXPECTED', `${shows}, not ${expected}: nothing was changed`);
  }
  const text = recordHostKey(await readFile(file, 'utf8'), file, name, fingerprint);
  await replaceFile(file, Buffer.from(text));
  return { fingerprint, outcome: 'recorded' };
}
