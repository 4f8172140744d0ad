import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { meshproof } from './short-command.ts';

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'meshproof-bad-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const CASES: readonly (readonly [string, readonly string[], RegExp])[] = [
  [
    'an unknown scenario',
    ['run', '--local', '3', '--scenarios', 'baselin'],
    /--scenarios: "baselin".*known: baseline/,
  ],
  ['an unknown gate', ['run', '--local', '3', '--gate', 'narrow'], /--gate: "narrow".*known: broad-launch/],
  ['an unknown flag', ['run', '--local', '3', '--windows', '3'], /windows/],
  ['an unknown command', ['launch'], /launch/],
  ['a flag without its value', ['run', '--local'], /local/],
  ['a scenario named twice', ['run', '--local', '3', '--scenarios', 'baseline,baseline'], /named twice/],
  [
    'a gate that could never be a GO here',
    ['run', '--local', '3', '--scenarios', 'baseline', '--gate', 'broad-launch'],
    /gate broad-launch requires fanout_burst.*--scenarios baseline,fanout_burst/,
  ],
  [
    'a path that no message can take',
    ['run', '--local', '3', '--expect-path', 'quick'],
    /expect-path.*"quick"/,
  ],
  ['telemetry faster than it can be', ['run', '--local', '3', '--telemetry-secs', '0.01'], /"0.01" is not/],
  [
    'more windows than anybody needs',
    ['soak', '--local', '3', '--interval-mins', '0.0001'],
    /--interval-mins: 0.0001 min makes 7200000 windows/,
  ],
  ['no command', [], /--help/],
  ['no mesh at all', ['run'], /--local/],
  ['a mesh of one', ['run', '--local', '1'], /--local: "1" is not a whole number from 2 to/],
  ['a count that is no number', ['run', '--local', 'six'], /--local/],
  ['an unknown anchor', ['run', '--local', '3', '--anchor', 'nyc'], /--anchor: "nyc" is not one of node1/],
  ['a bad burst size', ['run', '--local', '3', '--burst-payload-bytes', '3'], /payload_bytes.*3/],
  [
    'a burst payload that cannot carry its own header',
    ['run', '--local', '3', '--burst-payload-bytes', '64'],
    /payload_bytes is 64.*128/,
  ],
  [
    'a burst longer than a runner collects',
    ['run', '--local', '3', '--burst-messages', '100000', '--burst-delay-ms', '60000'],
    /messages is 100000: expected a burst of at most 3600 s/,
  ],
  [
    'an interval longer than the soak',
    ['soak', '--local', '3', '--duration-hours', '0.01'],
    /--interval-mins/,
  ],
  ['a negative duration', ['soak', '--local', '3', '--duration-hours', '-1'], /--duration-hours: "-1"/],
  ['a gate file that is not there', ['run', '--local', '3', '--gate', './none.toml'], /none\.toml/],
  ['a directory that is no proof', ['gate', 'check', 'docs'], /docs/],
];

describe.concurrent('bad input', () => {
  it.for(CASES)('%s is one clear line and exit 64', async ([, args, line]) => {
    const { code, stderr } = await meshproof(...args);
    expect(stderr).toMatch(line);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(code).toBe(64);
  });

  it('a malformed gate file names file and line', async () => {
    const file = join(home, 'gate.toml');
    await writeFile(file, 'name = "x"\n[[objective]\n');
    const { code, stderr } = await meshproof('run', '--local', '3', '--gate', file);
    expect(stderr).toMatch(/gate\.toml:2/);
    expect(code).toBe(64);
  });

  it('a gate file with a wrong type names the field and the value', async () => {
    const file = join(home, 'typed.toml');
    await writeFile(file, 'name = 7\ndescription = "d"\n[[objective]]\nname = "a"\n');
    const { code, stderr } = await meshproof('run', '--local', '3', '--gate', file);
    expect(stderr).toMatch(/typed\.toml: name is 7/);
    expect(code).toBe(64);
  });

  it('a gate file for an existing proof that names an unknown scenario is named, exit 64', async () => {
    const file = join(home, 'unknown-scenario.toml');
    const objective = `[[objective]]\nname = "a"\nmetric = "pairs.delivered_ratio"\nscope = "pair"\nlimit = { min = 1 }\nwhy = "w"\nscenarios = ["basline"]\n`;
    await writeFile(file, `name = "x"\ndescription = "d"\n${objective}`);
    const { code, stderr } = await meshproof('gate', 'check', join(home, 'any-proof'), '--gate', file);
    expect(stderr).toMatch(/unknown-scenario\.toml: objective "a" names scenario "basline"/);
    expect(code).toBe(64);
  });

  it('a proof directory that cannot be made is named, exit 64', async () => {
    const file = join(home, 'file');
    await writeFile(file, '');
    const { code, stderr } = await meshproof('run', '--local', '3', '--proof-dir', join(file, 'proof'));
    expect(stderr).toMatch(/file\/proof/);
    expect(code).toBe(64);
  });

  it('a port in use is named, exit 5', async () => {
    const taken = createSocket('udp4').bind(0, '127.0.0.1');
    await once(taken, 'listening');
    const port = taken.address().port;
    try {
      const { code, stdout, stderr } = await meshproof(
        'run',
        '--local',
        '2',
        '--base-port',
        String(port),
        '--proof-dir',
        join(home, 'port'),
      );
      expect(`${stdout}${stderr}`).toMatch(new RegExp(`127\\.0\\.0\\.1:${port}`));
      expect(code).toBe(5);
    } finally {
      taken.close();
    }
  });

  it('a node whose data directory is not writable says so in one line and exits 5', async () => {
    const locked = join(home, 'locked');
    await writeFile(locked, '');
    await chmod(locked, 0o400);
    const config = join(home, 'node.toml');
    await writeFile(
      config,
      `bind_address = "127.0.0.1:0"\napi_address = "127.0.0.1:0"\ndata_dir = "${locked}/data"\n`,
    );
    const result = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
      execFile(
        process.execPath,
        ['node/main.ts', '--config', config],
        { timeout: 20_000 },
        (error, _out, stderr) => {
          resolve({ code: error?.code, stderr });
        },
      );
    });
    expect(result.code).toBe(5);
    expect(result.stderr).toMatch(/locked\/data/);
  });
});
