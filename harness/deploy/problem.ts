import { codeOf, FaultError, MeshproofError, messageOf } from '../../kit/errors.ts';

/** Something that is not as it should be on a host; `code` is stable. */
export interface Problem {
  readonly host: string;
  readonly code: ProblemCode;
  readonly message: string;
  /** The other end, where it is about a connection. */
  readonly peer?: string;
  /** Waiting does not mend it. */
  readonly lasting?: true;
}

/** Found before anything is changed: the host cannot carry this deployment. */
const REFUSALS = [
  'DEPLOY_NO_SYSTEMD',
  'DEPLOY_WRONG_MACHINE',
  'DEPLOY_TOOL_MISSING',
  'DEPLOY_DISK_FULL',
  'DEPLOY_PORT_TAKEN',
  'DEPLOY_PORT_PRIVILEGED',
  'DEPLOY_PATH_OCCUPIED',
] as const;

/** Found by looking at a deployed host and its node. */
const FINDINGS = [
  'UNIT_NOT_ACTIVE',
  'QUIC_NOT_BOUND',
  'NODE_SILENT',
  'NODE_UNHEALTHY',
  'IDENTITY_CHANGED',
  'PROGRAM_DIFFERS',
  'CONFIG_DIFFERS',
  'UNIT_DIFFERS',
  'NOT_RESTARTED',
  'RUNNER_NOT_LISTENING',
  'HOST_REBOOTED',
  'LINK_MISSING',
  'MESSAGE_NOT_ACKNOWLEDGED',
] as const;

/** Or the code of an error that was thrown while working on the host. */
export type ProblemCode = (typeof REFUSALS)[number] | (typeof FINDINGS)[number] | (string & {});

/** An error of one host as a line of its report. */
export function problemOf(host: string, error: unknown): Problem {
  const code = problemCode(error);
  return { host, code, message: messageOf(error), ...(BARRED.includes(code) ? LASTING : {}) };
}

function problemCode(error: unknown): ProblemCode {
  const reason = error instanceof MeshproofError ? error.details.reason : undefined;
  if (codeOf(error) === 'HOST_UPLOAD' && reason === 'no_space') return 'DEPLOY_DISK_FULL';
  if (codeOf(error) === 'HOST_UPLOAD' && reason === 'corrupted') return 'DEPLOY_UPLOAD_CORRUPTED';
  return codeOf(error);
}

/** For problems that waiting does not mend. */
export const LASTING = { lasting: true } as const satisfies Partial<Problem>;

const BARRED = ['HOST_KEY_UNKNOWN', 'HOST_KEY_CHANGED', 'HOST_AUTH', 'HOST_SUDO'];
const WAY_FAILED = [
  'HOST_UNREACHABLE',
  'HOST_TIMEOUT',
  'HOST_LOST',
  'HOST_KEY_UNKNOWN',
  'HOST_KEY_CHANGED',
  'HOST_AUTH',
  'HOST_SUDO',
  'HOST_REFUSED',
  'HOST_BUSY',
];

/** Whether the way to the host failed, and not the host: what it runs is not known then. */
export function isUnreachable({ code }: Problem): boolean {
  return WAY_FAILED.includes(code);
}

/** The error of one step on one host. */
export function deployError(code: ProblemCode, host: string, message: string, cause?: unknown): FaultError {
  return new FaultError(code, `${host}: ${message}`, { details: { host }, cause });
}
