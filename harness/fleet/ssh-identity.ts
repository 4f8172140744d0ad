import { readFile, stat } from 'node:fs/promises';
import ssh2, { type AgentAuthMethod, type PublicKeyAuthMethod } from 'ssh2';
import { codeOf, messageOf, UsageError } from '../../kit/errors.ts';
import type { SshTarget } from './inventory.ts';

const OTHERS_BITS = 0o077;

/** What ssh2 tries, and nothing beside it. */
export type LoginMethod = PublicKeyAuthMethod | AgentAuthMethod;

/**
 * How `target` is to be logged in to: its key file or the agent, and nothing else.
 * @throws UsageError `SSH_KEY_UNUSABLE`, `SSH_KEY_ENCRYPTED`, `SSH_AGENT_MISSING`, naming the file and what to do
 */
export async function loadIdentity({ name, user, identity }: SshTarget): Promise<LoginMethod> {
  if ('agent' in identity) {
    const agent = process.env.SSH_AUTH_SOCK;
    if (agent === undefined || agent === '') {
      throw new UsageError(
        'SSH_AGENT_MISSING',
        `${name}: agent = true, but SSH_AUTH_SOCK is not set: start an agent, or name a key file`,
        { details: { host: name } },
      );
    }
    return { type: 'agent', username: user, agent };
  }
  return { type: 'publickey', username: user, key: await readKey(name, identity.keyFile) };
}

async function readKey(host: string, file: string): Promise<Buffer> {
  const unusable = (why: string, cause?: unknown) =>
    new UsageError('SSH_KEY_UNUSABLE', `${host}: key ${file} ${why}`, { details: { host, file }, cause });
  let text: Buffer;
  let mode: number;
  try {
    [text, { mode }] = await Promise.all([readFile(file), stat(file)]);
  } catch (error) {
    throw unusable(
      codeOf(error) === 'ENOENT' ? 'does not exist' : `cannot be read: ${messageOf(error)}`,
      error,
    );
  }
  if ((mode & OTHERS_BITS) !== 0) {
    throw unusable(`may be read by others (mode ${(mode & 0o777).toString(8)}): chmod 600 it`);
  }
  const parsed = ssh2.utils.parseKey(text);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key instanceof Error && /encrypted/i.test(key.message)) {
    throw new UsageError(
      'SSH_KEY_ENCRYPTED',
      `${host}: key ${file} is encrypted: give it to an agent (ssh-add ${file}) and set agent = true`,
      { details: { host, file } },
    );
  }
  if (key instanceof Error) throw unusable(`is no private key that can be used: ${key.message}`, key);
  if (!key?.isPrivateKey()) throw unusable('is a public key: the private one is expected');
  return text;
}
