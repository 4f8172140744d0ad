import { createHash } from 'node:crypto';
import { HostError } from './host-error.ts';

/** A key that sshd showed: `type` like `ssh-ed25519`, `fingerprint` as `ssh-keygen -lf` prints it. */
export interface ShownHostKey {
  readonly type: string;
  readonly fingerprint: string;
}

/** Reads a public key as it goes over the wire (RFC 4253, 6.6): a length, the type, and the rest. */
export function shownHostKey(blob: Buffer): ShownHostKey {
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0;
  const digest = createHash('sha256').update(blob).digest('base64').replace(/=+$/, '');
  return { type: blob.toString('latin1', 4, 4 + Math.min(length, 64)), fingerprint: `SHA256:${digest}` };
}

/** Null when `shown` is what is pinned for `host`. */
export function hostKeyProblem(host: string, pinned: string | null, shown: ShownHostKey): HostError | null {
  const details = { shown: shown.fingerprint, type: shown.type, pinned };
  if (pinned === null) {
    return new HostError(
      'HOST_KEY_UNKNOWN',
      host,
      `no host key is pinned; it shows ${shown.type} ${shown.fingerprint}. Compare that with the host's own, then "fleet trust"`,
      { details },
    );
  }
  if (pinned === shown.fingerprint) return null;
  return new HostError(
    'HOST_KEY_CHANGED',
    host,
    `shows host key ${shown.type} ${shown.fingerprint}, but ${pinned} is pinned: another machine answers, or it was installed anew`,
    { details },
  );
}
