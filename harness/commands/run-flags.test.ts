import { describe, expect, it } from 'vitest';
import yargs from 'yargs';
import { UsageError } from '../../kit/errors.ts';
import { runOptionsOf, withRunFlags } from './run-flags.ts';

async function parse(...args: readonly string[]) {
  const flags = await withRunFlags(yargs(['--local', '3', ...args]))
    .parserConfiguration({ 'duplicate-arguments-array': false, 'strip-dashed': false })
    .strict()
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new UsageError('BAD_USAGE', message);
    })
    .parseAsync();
  return runOptionsOf(flags, [], null);
}

describe('the flags of a run', () => {
  it('give a mesh with names, an anchor and every scenario', async () => {
    expect(await parse()).toMatchObject({
      nodes: [{ name: 'node1' }, { name: 'node2' }, { name: 'node3' }],
      anchor: 'node1',
      scenarios: [{ name: 'baseline' }, { name: 'fanout_burst' }],
      telemetryEveryMs: 5_000,
      seed: null,
    });
  });

  it('take fractions, spaces after commas, and the last of a flag given twice', async () => {
    const options = await parse(
      '--telemetry-secs',
      '0.2',
      '--seed',
      '1',
      '--seed',
      '2',
      '--nodes',
      'a, b, c',
    );
    expect(options).toMatchObject({ telemetryEveryMs: 200, seed: 2, nodes: [{}, { name: 'b' }, {}] });
  });

  it('give scenarios the options that they declare flags for', async () => {
    const args = ['--partition-pair', 'node2, node3', '--block-secs', '12.5', '--restart-count', '2'];
    const { scenarios } = await parse('--scenarios', 'partition_recovery,restart_storm,baseline', ...args);
    expect(scenarios).toEqual([
      { name: 'partition_recovery', options: { pair: ['node2', 'node3'], block_secs: 12.5 } },
      { name: 'restart_storm', options: { count: 2 } },
      { name: 'baseline', options: {} },
    ]);
  });

  it('say what is allowed, waived, and ends the run; nothing by default', async () => {
    expect((await parse()).safety).toEqual({ environment: 'local', allowed: [], waived: [], stop_on: null });
    const leave = ['--allow-iptables', '--allow-restart-storm', '--waive-third'];
    expect((await parse(...leave, '--stop-on', 'lost-node, no-go')).safety).toEqual({
      environment: 'local',
      allowed: ['partition', 'restart'],
      waived: ['third'],
      stop_on: ['lost-node', 'no-go'],
    });
    expect((await parse('--stop-on', 'none')).safety).toMatchObject({ stop_on: [] });
  });

  it.for([
    [['--stop-on', 'none,no-go'], /--stop-on: "none" is not none, or some of/],
    [['--stop-on', 'never'], /--stop-on: "never"/],
    [
      ['--scenarios', 'restart_storm', '--restart-count', '1.5'],
      /--restart-count: "1.5" is not a whole number/,
    ],
    [['--scenarios', 'partition_recovery', '--block-secs', '1'], /--block-secs: "1" is not a number from 5/],
    [['--seed', '1.5'], /--seed: "1.5" is not a whole number/],
    [['--seed', 'abc'], /--seed: "abc" is not a whole number/],
    [['--seed', '-1'], /--seed: "-1"/],
    [['--telemetry-secs', '0.05'], /--telemetry-secs: "0.05" is not a number from 0.1/],
    [['--telemetry-secs', '1e12'], /--telemetry-secs/],
    [['--telemetry-secs', 'NaN'], /--telemetry-secs: "NaN"/],
    [['--discover-secs', 'Infinity'], /--discover-secs: "Infinity"/],
    [['--settle-secs', '0'], /--settle-secs: "0"/],
    [['--burst-messages', 'zz'], /--burst-messages: "zz"/],
    [['--local='], /--local: ""/],
    [['--local', '65'], /--local: "65" is not a whole number from 2 to 64/],
    [['--local', 'six'], /--local: "six"/],
    [['--nodes', 'a,b'], /--nodes: "a,b" is not 3 names/],
    [['--nodes', 'a,b,'], /--nodes: "" is not a name/],
    [['--nodes', 'a,b,../x'], /--nodes: "..\/x" is not a name/],
    [['--nodes', 'a,b,c d'], /--nodes: "c d" is not a name/],
    [['--nodes', 'a,b,zürich'], /--nodes: "zürich" is not a name/],
    [['--nodes', `a,b,${'c'.repeat(64)}`], /is not a name of 1 to 63/],
    [['--network', ''], /--network: ""/],
    [['--network', 'x'.repeat(65)], /--network/],
    [['--proof-dir', ''], /--proof-dir: "" is not the path/],
    [['--expect-path', 'raw_quick'], /expect-path.*Given: "raw_quick"/s],
  ] as const)('%j is refused, naming flag and value', async ([args, message]) => {
    await expect(parse(...args)).rejects.toThrow(message);
  });
});
