import { codeOf, type Json, MeshproofError, messageOf } from '../kit/errors.ts';

/** A failed call to the node, as it stands in a result. */
export interface NodeFailure {
  /** The node's own error code where it gave one, otherwise the client's. */
  readonly code: string;
  readonly message: string;
  /** HTTP status; null when the node did not answer. */
  readonly httpStatus: number | null;
}

export function nodeFailureOf(error: unknown): NodeFailure {
  const said = detail(error, 'error');
  return {
    code: typeof said === 'string' && said !== '' ? said : codeOf(error),
    message: messageOf(error),
    httpStatus: httpStatusOf(error),
  };
}

/** The HTTP status with which the node refused a call; null for any other failure. */
export function httpStatusOf(error: unknown): number | null {
  const status = detail(error, 'status');
  return typeof status === 'number' ? status : null;
}

function detail(error: unknown, name: string): Json | undefined {
  return error instanceof MeshproofError ? error.details[name] : undefined;
}
