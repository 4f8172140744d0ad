import { FaultError, type JsonObject } from '../../kit/errors.ts';

/**
 * What can go wrong between here and a host:
 *
 * - `HOST_UNREACHABLE` nothing answers there, or not with SSH; `HOST_TIMEOUT` it did not answer or end in time
 * - `HOST_KEY_UNKNOWN`, `HOST_KEY_CHANGED` no host key is pinned, or another one was shown
 * - `HOST_AUTH` sshd does not let this user in; `HOST_SUDO` sudo does not let the user be root
 * - `HOST_LOST` the connection ended under a command; `HOST_KILLED` a signal ended the command
 * - `HOST_REFUSED` sshd does not open another channel, or forbids what was asked; `HOST_BUSY` too much waits already
 * - `HOST_OUTPUT` a command said more than is kept; `HOST_UPLOAD` a file did not arrive as it was sent
 */
export type HostErrorCode =
  | 'HOST_UNREACHABLE'
  | 'HOST_TIMEOUT'
  | 'HOST_KEY_UNKNOWN'
  | 'HOST_KEY_CHANGED'
  | 'HOST_AUTH'
  | 'HOST_SUDO'
  | 'HOST_LOST'
  | 'HOST_KILLED'
  | 'HOST_REFUSED'
  | 'HOST_BUSY'
  | 'HOST_OUTPUT'
  | 'HOST_UPLOAD';

/** The control plane failed at one host. It says nothing about the node that runs there. */
export class HostError extends FaultError {
  declare readonly code: HostErrorCode;
  readonly host: string;

  constructor(
    code: HostErrorCode,
    host: string,
    message: string,
    { details = {}, cause }: { readonly details?: JsonObject; readonly cause?: unknown } = {},
  ) {
    super(code, `${host}: ${message}`, { details: { host, ...details }, cause });
    this.host = host;
  }
}
