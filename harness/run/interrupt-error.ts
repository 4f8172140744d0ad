import { MeshproofError } from '../../kit/errors.ts';

/** The operator, or whoever started this process, asked the run to end. */
export class InterruptError extends MeshproofError {
  constructor(signalName: string) {
    super('INTERRUPTED', `${signalName} received`, { details: { signal: signalName } });
  }
}
