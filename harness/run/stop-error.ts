import { MeshproofError } from '../../kit/errors.ts';
import type { StopCondition } from '../../proofs/safety-schema.ts';

/** A stop condition of the plan was met. */
export class StopError extends MeshproofError {
  readonly condition: StopCondition;

  constructor(condition: StopCondition, why: string) {
    super('STOPPED', `stopped on ${condition}: ${why}`, { details: { condition, why } });
    this.condition = condition;
  }
}
