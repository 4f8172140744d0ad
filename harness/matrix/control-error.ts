import { FaultError, type JsonObject } from '../../kit/errors.ts';

/**
 * The control plane failed, not the mesh under test. `code`: `COMMAND_DISPATCH_FAILED` (the command did not reach the
 * runner), `COMMAND_REFUSED` (it did, and the runner will not execute it; `details.reason` is its code),
 * `RESULT_TIMEOUT` (it was accepted and no result came in time), `CONTROL_CLOSED`, `NODE_UNKNOWN`.
 */
export class ControlError extends FaultError {
  constructor(
    code:
      | 'COMMAND_DISPATCH_FAILED'
      | 'COMMAND_REFUSED'
      | 'RESULT_TIMEOUT'
      | 'CONTROL_CLOSED'
      | 'NODE_UNKNOWN',
    node: string,
    message: string,
    { details = {}, cause }: { readonly details?: JsonObject; readonly cause?: unknown } = {},
  ) {
    super(code, `${node}: ${message}`, { details: { node, ...details }, cause });
  }
}
