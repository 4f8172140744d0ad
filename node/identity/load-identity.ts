import { resolve } from 'node:path';
import { FaultError, UsageError } from '../../kit/errors.ts';
import { sha256Hex } from '../../kit/hash.ts';
import type { Signer, Signing } from '../../kit/signing.ts';
import { createKeyFile, damagedKeyFile, readKeyFile } from './key-file.ts';
import { formatKey, parseKey } from './key-format.ts';

interface IdentityKey extends Signer {
  /** SHA-256 of the public key, 64 lowercase hex characters. */
  readonly id: string;
}

/** The machine key is the peer on the wire; the agent key is the address that people exchange. */
export interface NodeIdentity {
  readonly machine: IdentityKey;
  readonly agent: IdentityKey;
}

function identityKey(signer: Signer): IdentityKey {
  return {
    id: sha256Hex(signer.publicKey),
    publicKey: signer.publicKey,
    sign: (message) => signer.sign(message),
  };
}

async function existingKey(path: string, signing: Signing): Promise<IdentityKey | undefined> {
  const text = await readKeyFile(path);
  if (text === undefined) return undefined;
  const stored = parseKey(text);
  if ('why' in stored) throw damagedKeyFile(path, stored.why);
  const key = identityKey(await signing.signer(stored.seed));
  if (key.id !== stored.id) throw damagedKeyFile(path, 'its seed does not give its id');
  return key;
}

async function loadKey(path: string, signing: Signing): Promise<IdentityKey> {
  const existing = await existingKey(path, signing);
  if (existing) return existing;
  const seed = signing.freshSeed();
  const fresh = identityKey(await signing.signer(seed));
  if (await createKeyFile(path, formatKey({ id: fresh.id, seed }))) return fresh;
  // Another process was first: its key is the one on disk, so it is ours too.
  const winner = await existingKey(path, signing);
  if (winner) return winner;
  throw new FaultError('KEY_FILE_NOT_WRITTEN', `key file ${path} appeared and went away while it was made`, {
    details: { file: path },
  });
}

/**
 * The keys of this node, made on first start and the same ever after. Files are private (0600), written whole and
 * never overwritten.
 * @throws UsageError `KEY_FILE_EXPOSED` (mode lets others in), `KEY_FILE_DAMAGED`, `KEY_FILE_UNREADABLE`,
 * `KEY_FILES_SAME`; FaultError `KEY_FILE_NOT_WRITTEN`. Each names the path.
 */
export async function loadIdentity({
  machineKeyPath,
  agentKeyPath,
  signing,
}: {
  readonly machineKeyPath: string;
  readonly agentKeyPath: string;
  readonly signing: Signing;
}): Promise<NodeIdentity> {
  if (resolve(machineKeyPath) === resolve(agentKeyPath)) {
    throw new UsageError('KEY_FILES_SAME', `machine and agent key are the same file: ${machineKeyPath}`, {
      details: { file: machineKeyPath },
    });
  }
  const machine = await loadKey(machineKeyPath, signing);
  const agent = await loadKey(agentKeyPath, signing);
  return { machine, agent };
}
