import type { Options } from 'yargs';
import { SCENARIOS, scenarioNamed } from '../../scenarios/registry.ts';
import type { ScenarioFlag } from '../../scenarios/scenario.ts';
import type { ScenarioRequest } from '../run/run-options.ts';
import { badFlag, optional, wholeNumber } from './flag-value.ts';

/**
 * The flags that scenarios declare, each once, saying whose options it sets. Numbers have no `type`: yargs would make
 * NaN of what is none, and the message could not name what was typed.
 */
export function scenarioFlags(group: string): Readonly<Record<string, Options>> {
  const byFlag = Map.groupBy(
    SCENARIOS.flatMap(({ name, flags }) => flags.map((flag) => ({ name, flag }))),
    ({ flag }) => flag.flag,
  );
  return Object.fromEntries(
    [...byFlag].map(([flag, uses]) => {
      const byText = Map.groupBy(uses, (use) => use.flag.describe);
      const describe = [...byText]
        .map(([text, of]) => `${of.map(({ name }) => name).join(', ')}: ${text}`)
        .join('; ');
      const isText = uses.some((use) => 'text' in use.flag.takes);
      const options: Options = { group, describe, requiresArg: true, ...(isText ? { type: 'string' } : {}) };
      return [flag, options];
    }),
  );
}

/**
 * The scenario called `name` with the options that its flags give.
 * @throws UsageError `UNKNOWN_SCENARIO`, `BAD_FLAG`
 */
export function scenarioRequest(name: string, flags: Readonly<Record<string, unknown>>): ScenarioRequest {
  const given = scenarioNamed(name).flags.flatMap((flag) => {
    const value = typedValue(flag, flags[flag.flag]);
    return value === undefined ? [] : [[flag.option, value] as const];
  });
  return { name, options: Object.fromEntries(given) };
}

function typedValue({ flag, takes }: ScenarioFlag, value: unknown): unknown {
  if (value === undefined) return undefined;
  if ('number' in takes) {
    const { low, high } = takes;
    return takes.number === 'whole'
      ? wholeNumber(`--${flag}`, value, low, high)
      : optional(`--${flag}`, value, low, high);
  }
  const names = String(value)
    .split(',')
    .map((one) => one.trim());
  if (takes.text === 'nodes') return names;
  if (names.length !== 1 || names[0] === '') throw badFlag(`--${flag}`, value, 'the name of one node');
  return names[0];
}
