import type { Logger } from 'pino';

/** The part of the node's logger that membership writes to. */
export type MembershipLog = Pick<Logger, 'debug' | 'info' | 'warn'>;
