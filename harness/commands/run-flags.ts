import type { Argv, InferredOptionTypes, Options } from 'yargs';
import { UsageError } from '../../kit/errors.ts';
import { SCENARIOS } from '../../scenarios/registry.ts';
import type { RunOptions, ScenarioRequest } from '../run/run-options.ts';

const LOCAL_NODES_MAX = 64;

const MESH = 'Mesh';
const EXPERIMENT = 'Experiment';
const EVIDENCE = 'Evidence';

/** The flags that `run` and `soak` share, in the groups that help shows. */
const RUN_FLAGS = {
  local: {
    type: 'number',
    group: MESH,
    describe: 'start N nodes and N runners on this machine',
    requiresArg: true,
  },
  nodes: { type: 'string', group: MESH, describe: 'names of the nodes, comma-separated', requiresArg: true },
  anchor: {
    type: 'string',
    group: MESH,
    describe: 'node that publishes and relays control (default: the first)',
  },
  control: {
    choices: ['loopback', 'mesh'] as const,
    default: 'loopback' as const,
    group: MESH,
    describe: 'how commands reach the runners',
  },
  'base-port': {
    type: 'number',
    group: MESH,
    describe: 'first UDP port of a local mesh (default: any free)',
  },
  network: { type: 'string', default: 'test', group: MESH, describe: 'network id that the nodes must share' },
  scenarios: {
    type: 'string',
    default: 'baseline,fanout_burst',
    group: EXPERIMENT,
    describe: `what to run, in order: ${SCENARIOS.map(({ name }) => name).join(', ')}`,
  },
  'expect-path': {
    type: 'string',
    default: 'raw_quic_acked',
    group: EXPERIMENT,
    describe: 'path that every direct message must take',
  },
  'discover-secs': {
    type: 'number',
    default: 30,
    group: EXPERIMENT,
    describe: 'time for every runner to answer',
  },
  'settle-secs': {
    type: 'number',
    group: EXPERIMENT,
    describe: 'time for what is under way to arrive (default: baseline 60, fanout_burst 30)',
  },
  'burst-messages': { type: 'number', group: EXPERIMENT, describe: 'fanout_burst: messages (default 200)' },
  'burst-payload-bytes': {
    type: 'number',
    group: EXPERIMENT,
    describe: 'fanout_burst: payload (default 4096)',
  },
  'burst-delay-ms': { type: 'number', group: EXPERIMENT, describe: 'fanout_burst: pace (default 10)' },
  seed: {
    type: 'number',
    group: EXPERIMENT,
    describe: 'seed of every random choice (default: fresh, printed)',
  },
  gate: {
    type: 'string',
    default: 'limited-production',
    group: EVIDENCE,
    describe: 'gate by name, or a .toml file',
  },
  'proof-dir': {
    type: 'string',
    group: EVIDENCE,
    describe: 'where the evidence goes (default: proofs/runs/<run id>)',
  },
  'telemetry-secs': {
    type: 'number',
    default: 5,
    group: EVIDENCE,
    describe: 'time between two looks at every node',
  },
  json: { type: 'boolean', default: false, group: EVIDENCE, describe: 'progress as JSON lines on stdout' },
} satisfies Record<string, Options>;

export type RunArguments = InferredOptionTypes<typeof RUN_FLAGS>;

export function withRunFlags<T>(yargs: Argv<T>): Argv<T & RunArguments> {
  return yargs.options(RUN_FLAGS) as Argv<T & RunArguments>;
}

/**
 * The run that these flags ask for.
 * @throws UsageError naming the flag, its value and what it takes
 */
export function runOptionsOf(flags: RunArguments, command: readonly string[]): Omit<RunOptions, 'soak'> {
  const names = namesOf(flags);
  return {
    command,
    nodes: names.map((name) => ({ name, region: null })),
    anchor: flags.anchor ?? names[0] ?? '',
    control: flags.control,
    expectPath: flags['expect-path'],
    scenarios: flags.scenarios.split(',').map((name) => scenarioRequest(name.trim(), flags)),
    gate: flags.gate,
    proofDir: flags['proof-dir'] ?? null,
    seed: flags.seed === undefined ? null : wholeNumber('--seed', flags.seed, 0, 0x7fff_ffff),
    discoverMs: positive('--discover-secs', flags['discover-secs']) * 1_000,
    telemetryEveryMs: positive('--telemetry-secs', flags['telemetry-secs']) * 1_000,
  };
}

function namesOf({ local, nodes }: RunArguments): readonly string[] {
  const named = nodes?.split(',').map((name) => name.trim());
  if (local === undefined) {
    throw new UsageError('NO_MESH', '--local: say how many nodes to start here, for example --local 6');
  }
  const count = wholeNumber('--local', local, 2, LOCAL_NODES_MAX);
  if (named === undefined) return Array.from({ length: count }, (_, index) => `node${index + 1}`);
  if (named.length !== count || named.some((name) => name === '')) {
    throw new UsageError(
      'BAD_FLAG',
      `--nodes: "${nodes}" names ${named.length} nodes, --local asks for ${count}`,
    );
  }
  return named;
}

function scenarioRequest(name: string, flags: RunArguments): ScenarioRequest {
  const settle = flags['settle-secs'];
  const settleSecs = settle === undefined ? undefined : positive('--settle-secs', settle);
  const wanted: Record<string, Record<string, unknown>> = {
    baseline: { settle_secs: settleSecs },
    fanout_burst: {
      settle_secs: settleSecs,
      messages: flags['burst-messages'],
      payload_bytes: flags['burst-payload-bytes'],
      delay_ms: flags['burst-delay-ms'],
    },
  };
  const given = Object.entries(wanted[name] ?? {}).filter(([, value]) => value !== undefined);
  return { name, options: Object.fromEntries(given) };
}

/** @throws UsageError unless `value` is a finite number above zero */
export function positive(flag: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new UsageError('BAD_FLAG', `${flag}: "${value}" is not a number above 0`, { details: { flag } });
}

/** @throws UsageError unless `value` is a whole number from `low` to `high` */
export function wholeNumber(flag: string, value: number, low: number, high: number): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new UsageError('BAD_FLAG', `${flag}: "${value}" is not a whole number from ${low} to ${high}`, {
    details: { flag, low, high },
  });
}
