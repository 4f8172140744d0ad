import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../kit/errors.ts';
import { parseGate, scenariosNamedBy } from './parse-gate.ts';
import { shippedGate } from './planted-defects.ts';

const HEAD = 'name = "mine"\ndescription = "d"\n';
const FIELDS = {
  name: '"no drops"',
  metric: '"gossip.recv_pump.pubsub.dropped_full"',
  scope: '"node"',
  limit: '{ max = 0 }',
  why: '"because"',
};

function gateText(changes: Partial<Record<string, string>>): string {
  const fields = Object.entries({ ...FIELDS, ...changes }).filter(([, value]) => value !== '');
  return `${HEAD}[[objective]]\n${fields.map(([key, value]) => `${key} = ${value}`).join('\n')}\n`;
}

function refusal(text: string): UsageError {
  try {
    parseGate(text, 'mine.toml');
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('the gate was accepted');
}

describe('a gate definition', () => {
  test('keeps the digest of its text, and its documents include those of the metric', () => {
    const gate = parseGate(gateText({ requires: '["ack"]' }), 'mine.toml');
    expect(gate.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(gate.objectives[0]).toMatchObject({ documents: ['gossip', 'ack'], scenarios: null });
  });

  test.each<readonly [string, Partial<Record<string, string>>, RegExp]>([
    [
      'unknown figure',
      { metric: '"gossip.recv_pump.pubsub.droped_full"' },
      /metric "gossip.*droped_full" is not a figure/,
    ],
    [
      'unknown document',
      { metric: '"gosip.stats.publish_total"' },
      /metric.*"gosip" is not a diagnostics document/,
    ],
    [
      'unknown derived metric',
      { metric: '"pairs.lost"' },
      /metric "pairs.lost" is not.*pairs.delivered_ratio/,
    ],
    ['unknown scope', { scope: '"planet"' }, /scope is "planet"/],
    [
      'scope that the metric has not',
      { scope: '"pair"' },
      /scope "pair" does not fit.*node, fleet, window, soak/,
    ],
    ['measure that the metric has not', { measure: '"last"' }, /measure "last" does not fit.*expected delta/],
    ['empty limit', { limit: '{}' }, /limit is \{\}: needs max or min/],
    ['limit that nothing can meet', { limit: '{ max = 1, min = 2 }' }, /limit.*min is above max/],
    ['limit of text', { limit: '{ max = "0" }' }, /limit\.max is "0"/],
    ['limit not finite', { limit: '{ max = inf }' }, /limit\.max/],
    ['limit of another name', { limit: '{ most = 0 }' }, /limit\.most: is not a known key/],
    ['unknown field', { comparison: '"<"' }, /comparison: is not a known key/],
    [
      'unknown document to require',
      { requires: '["gossip", "diagnostics_gossip"]' },
      /requires\.1 is "diagnostics_gossip"/,
    ],
    ['no reason why', { why: '' }, /why is missing/],
    [
      'a measure that no scenario records',
      { metric: '"scenario.restart_storm.joy"', measure: '"worst"' },
      /metric "scenario\.restart_storm\.joy" is recorded by no scenario; known: .*meshed_secs/,
    ],
    [
      'a measure of another scenario than it looks at',
      {
        metric: '"scenario.restart_storm.meshed_secs"',
        measure: '"worst"',
        scenarios: '["baseline"]',
      },
      /scenarios must be \["restart_storm"\]/,
    ],
    [
      'an exemption from what is not read per node',
      {
        metric: '"pairs.duplicates"',
        scope: '"fleet"',
        measure: '"count"',
        scenarios: '["baseline"]',
        exempt_targets_of: '["restart_storm"]',
      },
      /exempt_targets_of does not fit pairs\.duplicates/,
    ],
    [
      'exceptions beside a list of scenarios',
      { scenarios: '["baseline"]', except_in: '["stale_peer"]' },
      /except_in says nothing beside scenarios/,
    ],
    [
      'exceptions from what is more than one scenario',
      { scope: '"soak"', except_in: '["stale_peer"]' },
      /except_in does not fit scope "soak"/,
    ],
    ['pairs without scenarios', { metric: '"pairs.duplicates"', scope: '"fleet"' }, /scenarios is missing/],
  ])('is refused with file, objective and field: %s', (_, changes, message) => {
    const error = refusal(gateText(changes));
    expect(error.code).toBe('GATE_OBJECTIVE');
    expect(error.message).toMatch(/^mine\.toml: objective "no drops": /);
    expect(error.message).toMatch(message);
    expect(error.details).toMatchObject({ file: 'mine.toml', objective: 'no drops' });
  });

  test('is refused without objectives, with a name used twice, and when it is not TOML', () => {
    expect(refusal(HEAD).message).toMatch(/mine\.toml: objective/);
    const twice = gateText({}) + gateText({}).slice(HEAD.length);
    expect(refusal(twice).message).toMatch(/objective "no drops": name is used twice/);
    expect(refusal('name = [').code).toBe('TOML_SYNTAX');
    expect(refusal(gateText({ name: '' })).message).toMatch(/objective "number 1": name is missing/);
  });

  test('is parsed or refused with a UsageError, whatever the text', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...Object.keys(FIELDS)), (text, field) => {
        expect(refusal(gateText({ [field]: `[${JSON.stringify(text)}]` }))).toBeInstanceOf(UsageError);
      }),
      { numRuns: 60 },
    );
  });

  test('is parsed as the documentation shows it', () => {
    const page = readFileSync(new URL('../docs/gates.md', import.meta.url), 'utf8');
    const example = /```toml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    expect(parseGate(example, 'docs/gates.md').objectives).toHaveLength(1);
  });

  test('tells which scenarios it names, each once', () => {
    const named = scenariosNamedBy(shippedGate('broad-launch'));
    expect(named).toEqual(expect.arrayContaining(['baseline', 'restart_storm', 'high_rtt_peer']));
    expect(new Set(named).size).toBe(named.length);
  });
});
