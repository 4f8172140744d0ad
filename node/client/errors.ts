import { type JsonObject, MeshproofError } from '../../kit/errors.ts';

/**
 * A call to a node failed. `code` says how: `NODE_UNREACHABLE` (nobody answered), `NODE_TIMEOUT` (the deadline
 * passed), `NODE_HTTP_ERROR` (answered with an error; see `status` and `error`), `NODE_BAD_BODY` (answered with
 * something that is not the promised body; `details.field` names the offending field).
 */
export class NodeError extends MeshproofError {}

/** The node answered with an error. `error` is its machine code or sentence, `body` everything beside it. */
export class NodeHttpError extends NodeError {
  readonly status: number;
  readonly error: string;

  constructor(call: string, status: number, error: string, body: JsonObject) {
    super('NODE_HTTP_ERROR', `${call} answered ${status}: ${error}`, {
      details: { call, status, error, body },
    });
    this.status = status;
    this.error = error;
  }
}
