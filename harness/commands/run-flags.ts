import type { Argv, InferredOptionTypes, Options } from 'yargs';
import { SCENARIOS } from '../../scenarios/registry.ts';
import { operatorKeyFile } from '../deploy/operator-key-file.ts';
import type { Inventory } from '../fleet/inventory.ts';
import type { RunOptions } from '../run/run-options.ts';
import { badFlag, number, wholeNumber } from './flag-value.ts';
import { nodesOf } from './mesh-of-run.ts';
import { SAFETY_FLAGS, safetyOf } from './safety-flags.ts';
import { scenarioFlags, scenarioRequest } from './scenario-flags.ts';

const LOCAL_NODES_MAX = 64;

const MESH = 'Mesh';
const EXPERIMENT = 'Experiment';
const EVIDENCE = 'Evidence';

const EXPECTED_PATHS = ['raw_quic_acked', 'raw_quic', 'gossip_inbox', 'relayed', 'loopback'] as const;
/** Node names become file and host names. */
const NODE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const NETWORK_NAME = /^[\x21-\x7e]{1,64}$/;

/**
 * The flags that `run` and `soak` share, in the groups that help shows. Numbers have no `type`: yargs would make NaN of
 * what is none, and the message could not name what was typed.
 */
const RUN_FLAGS = {
  local: { group: MESH, describe: 'start N nodes and N runners on this machine', requiresArg: true },
  inventory: {
    type: 'string',
    group: MESH,
    requiresArg: true,
    describe: 'use the deployed hosts of this inventory, over SSH',
  },
  nodes: { type: 'string', group: MESH, describe: 'names of the nodes, comma-separated', requiresArg: true },
  anchor: {
    type: 'string',
    group: MESH,
    requiresArg: true,
    describe: 'node that publishes and relays control (default: the first)',
  },
  control: {
    choices: ['loopback', 'mesh'] as const,
    default: 'loopback' as const,
    group: MESH,
    describe: 'how commands reach the runners',
  },
  'base-port': {
    group: MESH,
    requiresArg: true,
    describe: 'first UDP port of a local mesh (default: any free)',
  },
  links: {
    type: 'string',
    group: MESH,
    requiresArg: true,
    describe: 'links of a local mesh by name (lan, lte, six-cities…), or a .toml file',
  },
  'upgrade-bundle': {
    type: 'string',
    group: MESH,
    requiresArg: true,
    describe: 'directory of another bundle, for rolling_upgrade (default: this one under another version)',
  },
  network: {
    type: 'string',
    group: MESH,
    requiresArg: true,
    describe: 'network id that the nodes share (default: test, or that of the inventory)',
  },
  'confirm-network': {
    type: 'string',
    group: MESH,
    requiresArg: true,
    describe: 'its name again, in place of the question for one called prod, live or main',
  },
  environment: {
    type: 'string',
    group: MESH,
    requiresArg: true,
    describe: 'where the hosts stand; must be named to do harm there',
  },
  'operator-key': {
    type: 'string',
    default: operatorKeyFile(),
    group: MESH,
    requiresArg: true,
    describe: 'the key that deployed runners obey',
  },
  scenarios: {
    type: 'string',
    default: 'baseline,fanout_burst',
    group: EXPERIMENT,
    requiresArg: true,
    describe: `what to run, in order: ${SCENARIOS.map(({ name }) => name).join(', ')}`,
  },
  'expect-path': {
    choices: EXPECTED_PATHS,
    default: EXPECTED_PATHS[0],
    group: EXPERIMENT,
    describe: 'path that every direct message must take',
  },
  'discover-secs': {
    default: 30,
    group: EXPERIMENT,
    requiresArg: true,
    describe: 'time for every runner to answer',
  },
  seed: {
    group: EXPERIMENT,
    requiresArg: true,
    describe: 'seed of every random choice (default: fresh, printed)',
  },
  gate: {
    type: 'string',
    default: 'limited-production',
    group: EVIDENCE,
    requiresArg: true,
    describe: 'gate by name, or a .toml file',
  },
  'proof-dir': {
    type: 'string',
    group: EVIDENCE,
    requiresArg: true,
    describe: 'where the evidence goes (default: proofs/runs/<run id>)',
  },
  'telemetry-secs': {
    default: 5,
    group: EVIDENCE,
    requiresArg: true,
    describe: 'time between two looks at every node',
  },
  json: { type: 'boolean', default: false, group: EVIDENCE, describe: 'progress as JSON lines on stdout' },
  ...SAFETY_FLAGS,
} satisfies Record<string, Options>;

const SCENARIO_FLAGS = scenarioFlags(EXPERIMENT);

export type RunArguments = InferredOptionTypes<typeof RUN_FLAGS>;

export function withRunFlags<T>(yargs: Argv<T>): Argv<T & RunArguments> {
  return yargs.options({ ...RUN_FLAGS, ...SCENARIO_FLAGS }) as unknown as Argv<T & RunArguments>;
}

/**
 * The run that these flags ask for.
 * @throws UsageError naming the flag, its value and what it takes
 */
export function runOptionsOf(
  flags: RunArguments,
  command: readonly string[],
  inventory: Inventory | null,
): Omit<RunOptions, 'soak'> {
  const { nodes, anchor } = inventory === null ? localNodes(flags) : nodesOf(inventory);
  if (flags['proof-dir'] === '') throw badFlag('--proof-dir', '', 'the path of a directory');
  const { network } = flags;
  if (network !== undefined && !NETWORK_NAME.test(network)) {
    throw badFlag('--network', network, 'a name of at most 64 characters without spaces');
  }
  return {
    command,
    nodes,
    anchor: flags.anchor ?? anchor ?? '',
    control: flags.control,
    expectPath: flags['expect-path'],
    scenarios: flags.scenarios.split(',').map((name) => scenarioRequest(name.trim(), { ...flags })),
    safety: safetyOf(flags, inventory?.environment ?? 'local'),
    gate: flags.gate,
    proofDir: flags['proof-dir'] ?? null,
    seed: flags.seed === undefined ? null : wholeNumber('--seed', flags.seed, 0, 0x7fff_ffff),
    discoverMs: number('--discover-secs', flags['discover-secs'], 1, 3_600) * 1_000,
    telemetryEveryMs: number('--telemetry-secs', flags['telemetry-secs'], 0.1, 3_600) * 1_000,
  };
}

function localNodes(flags: RunArguments) {
  const names = namesOf(flags);
  return { nodes: names.map((name) => ({ name, region: null })), anchor: names[0] };
}

function namesOf({ local, nodes }: RunArguments): readonly string[] {
  const count = wholeNumber('--local', local, 2, LOCAL_NODES_MAX);
  if (nodes === undefined) return Array.from({ length: count }, (_, index) => `node${index + 1}`);
  const named = nodes.split(',').map((name) => name.trim());
  if (named.length !== count) {
    throw badFlag('--nodes', nodes, `${count} names, as --local asks for, not ${named.length}`);
  }
  const odd = named.find((name) => !NODE_NAME.test(name));
  if (odd !== undefined) {
    throw badFlag(
      '--nodes',
      odd,
      'a name of 1 to 63 letters, digits, ".", "_" and "-" that starts with none of these three',
    );
  }
  return named;
}
