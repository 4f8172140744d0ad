import { FaultError } from '../../kit/errors.ts';

/** A run changed hosts and could not bring them back to what they were: somebody has to look at them. Exit 6. */
export class LeftChangedError extends FaultError {
  constructor(hosts: readonly string[], problems: readonly string[]) {
    super(
      'HOSTS_LEFT_CHANGED',
      `${hosts.join(', ')} could not be brought back to the release from before the run; ` +
        `"meshproof deploy" brings all hosts to one: ${problems.join('; ')}`,
      { details: { hosts, problems } },
    );
  }
}
