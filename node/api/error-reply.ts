import type { FastifyError } from 'fastify';
import { ZodError } from 'zod';
import { codeOf, MeshproofError, messageOf } from '../../kit/errors.ts';
import { DIRECT_ERROR_STATUS } from './schema/direct-send.ts';

export interface ErrorReply {
  readonly status: number;
  readonly body: { readonly ok: false; readonly error: string; readonly [key: string]: unknown };
}

/** A request that cannot be served as it stands. `error` is what the client reads. */
export class RequestError extends MeshproofError {
  readonly status: number;
  readonly error: string;

  constructor(status: number, error: string) {
    super('REQUEST_REFUSED', error, { details: { status } });
    this.status = status;
    this.error = error;
  }
}

// Codes of the rooms that are not direct-message codes, each with the status that fits it.
const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  DEADLINE_EXCEEDED: 504,
  TOPIC_INVALID: 400,
  PUBLISH_QUEUE_FULL: 503,
  PUBSUB_STOPPED: 503,
  SUBSCRIPTIONS_FULL: 503,
  LOG_FULL: 507,
  LOG_QUEUE_FULL: 503,
  LOG_STOPPED: 503,
};

/** The status and body for anything thrown in a handler. Codes become lower-case machine codes; details go beside. */
export function errorReply(error: unknown): ErrorReply {
  if (error instanceof RequestError) return { status: error.status, body: { ok: false, error: error.error } };
  if (error instanceof ZodError) return { status: 400, body: { ok: false, error: firstIssue(error) } };
  if (error instanceof MeshproofError) {
    const name = error.code === 'DEADLINE_EXCEEDED' ? 'timeout' : error.code.toLowerCase();
    const status = DIRECT_ERROR_STATUS[name] ?? STATUS_BY_CODE[error.code] ?? 500;
    return { status, body: { ...error.details, ok: false, error: name, detail: error.message } };
  }
  const status = statusOf(error);
  if (status === 413) return { status, body: { ok: false, error: 'payload_too_large' } };
  if (status < 500) return { status, body: { ok: false, error: messageOf(error) } };
  return {
    status,
    body: { ok: false, error: 'internal_error', detail: `${codeOf(error)}: ${messageOf(error)}` },
  };
}

function firstIssue(error: ZodError): string {
  const issue = error.issues[0];
  const field = issue?.path.map(String).join('.') ?? '';
  return `${field === '' ? 'body' : field}: ${issue?.message ?? 'does not fit'}`;
}

function statusOf(error: unknown): number {
  const status = isFastifyError(error) ? error.statusCode : undefined;
  return status !== undefined && status >= 400 && status < 600 ? status : 500;
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && 'statusCode' in error;
}
