import type { InferredOptionTypes, Options } from 'yargs';
import {
  HARMS,
  SAFETY_NETS,
  type Safety,
  STOP_CONDITIONS,
  type StopCondition,
} from '../../proofs/safety-schema.ts';
import { ALLOW_FLAGS, WAIVE_FLAGS } from '../faults/safety-nets.ts';
import { badFlag } from './flag-value.ts';

const GROUP = 'Harm';

/** Leave to do harm, nets that are waived, and what ends the run. */
export const SAFETY_FLAGS = {
  'allow-netem': { type: 'boolean', group: GROUP, describe: 'allow delay, loss and limits on links' },
  'allow-partition': {
    type: 'boolean',
    group: GROUP,
    alias: 'allow-iptables',
    describe: 'allow links to be cut',
  },
  'allow-restart-storm': { type: 'boolean', group: GROUP, describe: 'allow nodes to be restarted' },
  'allow-pause': { type: 'boolean', group: GROUP, describe: 'allow nodes to be paused or stopped' },
  'stop-on': {
    type: 'string',
    group: GROUP,
    requiresArg: true,
    describe: `what ends a destructive run early: none, or some of ${STOP_CONDITIONS.join(', ')}`,
  },
  'waive-anchor': { type: 'boolean', group: GROUP, describe: 'let faults target the anchor too' },
  'waive-third': {
    type: 'boolean',
    group: GROUP,
    describe: 'let more than a third of the fleet be faulted at once',
  },
  'waive-one-per-host': {
    type: 'boolean',
    group: GROUP,
    describe: 'let a host carry several faults at once',
  },
} satisfies Record<string, Options>;

export type SafetyArguments = InferredOptionTypes<typeof SAFETY_FLAGS>;

/**
 * What the operator allows, waives and states, for the plan.
 * @throws UsageError `BAD_FLAG`
 */
export function safetyOf(flags: SafetyArguments, environment: string): Safety {
  const isSet = (flag: string) => Reflect.get(flags, flag.slice('--'.length)) === true;
  return {
    environment,
    allowed: HARMS.filter((harm) => isSet(ALLOW_FLAGS[harm])),
    waived: SAFETY_NETS.filter((net) => isSet(WAIVE_FLAGS[net])),
    stop_on: flags['stop-on'] === undefined ? null : stopConditions(flags['stop-on']),
  };
}

function stopConditions(text: string): StopCondition[] {
  const words = text.split(',').map((word) => word.trim());
  if (words.length === 1 && words[0] === 'none') return [];
  return words.map((word) => {
    const known = STOP_CONDITIONS.find((condition) => condition === word);
    if (known === undefined) {
      throw badFlag('--stop-on', word, `none, or some of ${STOP_CONDITIONS.join(', ')}, separated by commas`);
    }
    return known;
  });
}
