import { UsageError } from '../kit/errors.ts';
import type { PlannedFleet, ScenarioFlag } from './scenario.ts';

const FLAG = 'target-node';

/** For scenarios that harm one node. */
export const TARGET_FLAG: ScenarioFlag = {
  flag: FLAG,
  option: 'target',
  describe: 'the node that is harmed (default: the last)',
  takes: { text: 'node' },
};

/**
 * The node that is harmed: the one that was named, or the last of the roster.
 * @throws UsageError `BAD_FLAG` for one that does not fit the fleet
 */
export function targetOf({ anchor, nodes }: PlannedFleet, named: string | undefined): string {
  const target = named ?? nodes.findLast((node) => node !== anchor);
  const refuse = (why: string) =>
    new UsageError('BAD_FLAG', `--${FLAG}: ${why}`, { details: { flag: `--${FLAG}` } });
  if (target === undefined || nodes.length < 3) {
    throw refuse(`expected a fleet of at least three nodes: one that is harmed, and two that are not`);
  }
  if (!nodes.includes(target)) throw refuse(`"${target}" is not one of ${nodes.join(', ')}`);
  return target;
}
