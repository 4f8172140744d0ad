import { describe, expect, it } from 'vitest';
import { checkGateFits, checkGateKnown } from './check-gate-fits.ts';
import { loadGate, parseLoaded, shippedGates } from './load-gate.ts';

const OBJECTIVE = `[[objective]]
name = "every planned pair delivered"
metric = "pairs.delivered_ratio"
scope = "pair"
limit = { min = 1 }
why = "w"
`;

function gateOf(head: string, scenarios = '["baseline"]') {
  const text = `name = "mine"\ndescription = "d"\n${head}\n${OBJECTIVE}scenarios = ${scenarios}\n`;
  return parseLoaded(text, 'mine.toml');
}

describe('a gate before the run', () => {
  it('fits when what it requires is asked for', () => {
    expect(() => checkGateFits(gateOf('requires_scenarios = ["baseline"]'), ['baseline'])).not.toThrow();
  });

  it('that ships fits a run with every scenario', async () => {
    for (const name of await shippedGates()) {
      const gate = await loadGate(name);
      expect(() => checkGateFits(gate, ['baseline', 'fanout_burst'])).not.toThrow();
    }
  });

  it.for([
    [
      'whose objective names a scenario that does not exist',
      gateOf('', '["basline"]'),
      ['baseline'],
      /mine\.toml: objective "every planned pair delivered" names scenario "basline"; known: baseline/,
    ],
    [
      'that requires a scenario that does not exist',
      gateOf('requires_scenarios = ["restart_strom"]'),
      ['baseline'],
      /mine\.toml: requires_scenarios names scenario "restart_strom"/,
    ],
    [
      'whose requirement is not asked for',
      gateOf('requires_scenarios = ["baseline", "fanout_burst"]'),
      ['baseline'],
      /gate mine requires fanout_burst.*--scenarios baseline,fanout_burst/,
    ],
    [
      'of a run that names a scenario twice',
      gateOf(''),
      ['baseline', 'baseline'],
      /"baseline" is named twice/,
    ],
    ['of a run without a scenario', gateOf(''), [''], /--scenarios: "" is not a scenario/],
  ] as const)('%s is refused', ([, gate, scenarios, message]) => {
    expect(() => checkGateFits(gate, scenarios)).toThrow(message);
  });
});

describe('a gate for a proof that exists', () => {
  it('whose objective names a scenario that does not exist is refused', () => {
    expect(() => checkGateKnown(gateOf('', '["basline"]'))).toThrow(
      /mine\.toml: objective "every planned pair delivered" names scenario "basline"/,
    );
  });
});
