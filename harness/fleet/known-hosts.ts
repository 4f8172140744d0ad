import { createHash, createHmac } from 'node:crypto';

/** Which of several keys of a host we are shown when we ask: the first of these that it has. */
const PREFERENCE = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
];
const DEFAULT_PORT = 22;

interface KnownKey {
  readonly names: readonly string[];
  readonly type: string;
  readonly fingerprint: string;
}

/** A `known_hosts` file (sshd(8)), read for the fingerprints that it holds. */
export class KnownHosts {
  readonly #keys: readonly KnownKey[];

  constructor(text: string) {
    this.#keys = text.split('\n').flatMap(readLine);
  }

  /** `SHA256:…` of the key that this host would show us; null when the file has none. Hashed names are found too. */
  fingerprintOf(host: string, port: number): string | null {
    const name = port === DEFAULT_PORT ? host : `[${host}]:${port}`;
    const found = this.#keys.filter(({ names }) => names.some((pattern) => isNamed(pattern, name)));
    const best = found.toSorted((a, b) => PREFERENCE.indexOf(a.type) - PREFERENCE.indexOf(b.type))[0];
    return best?.fingerprint ?? null;
  }

  /** The first name of each line that says its names in plain text, patterns left out, each once. */
  plainNames(): readonly { readonly host: string; readonly port: number }[] {
    const found = new Map<string, { readonly host: string; readonly port: number }>();
    for (const { names } of this.#keys) {
      const name = names[0];
      if (name === undefined || name.startsWith('|') || /[*?!]/.test(name)) continue;
      const [, bracketed, port] = /^\[([^\]]+)\]:(\d+)$/.exec(name) ?? [];
      found.set(name, { host: bracketed ?? name, port: port === undefined ? DEFAULT_PORT : Number(port) });
    }
    return [...found.values()];
  }
}

/** `names keytype base64`. Marked lines name authorities or revoked keys, and are no host's own key. */
function readLine(line: string): readonly KnownKey[] {
  const [names = '', type = '', key = ''] = line.trim().split(/\s+/);
  if (names === '' || names.startsWith('#') || names.startsWith('@') || !PREFERENCE.includes(type)) return [];
  const digest = createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64').replace(/=+$/, '');
  return [{ names: names.split(','), type, fingerprint: `SHA256:${digest}` }];
}

function isNamed(pattern: string, name: string): boolean {
  const [, salt, hash] = /^\|1\|([^|]+)\|(.+)$/.exec(pattern) ?? [];
  if (salt === undefined) return pattern === name;
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
}
