import { codeOf, messageOf } from '../../kit/errors.ts';
import { applyScript } from './nft-script.ts';
import type { ProcessFaults } from './process-fault.ts';
import type { CutLease, FaultResult, ShapeLease } from './protocol.ts';
import { firstLine, type RunCommand } from './run-command.ts';
import { describeTrialFailure, SHAPE_TRIAL } from './tc-plan.ts';

interface Host {
  readonly run: RunCommand;
  readonly processes: ProcessFaults;
  readonly hasSystemd: boolean;
  readonly uid: number;
}

type Reason = string | null;

const TRIAL = { run_id: 'trial', lease_id: 'trial', ttl_ms: 1_000, peers: ['192.0.2.1', '2001:db8::1'] };
const TRIAL_CUT: CutLease = { ...TRIAL, kind: 'cut', larger_than_bytes: 1_200 };
const TRIAL_SHAPE: ShapeLease = {
  ...TRIAL,
  kind: 'shape',
  delay_ms: 1,
  jitter_ms: 0,
  loss_ratio: 0,
  rate_kbit: null,
};

/**
 * What this host can carry, by trying: nft checks the very rules without committing them, and the qdiscs are made on
 * the loopback device of a network namespace that ends with the command.
 */
export async function findCapabilities(
  host: Host,
  units: readonly string[],
): Promise<FaultResult<'capabilities'>> {
  const [cut, shape, service] = await Promise.all([
    nftReason(host, TRIAL_CUT),
    shapeReason(host),
    serviceReason(host, units),
  ]);
  const looking = cut ?? (await reasonOf(host.run, ['tc', '-j', 'qdisc', 'show']));
  // Without nft and tc nobody can prove the host clean afterwards, so they are needed for every kind.
  const unprovable = looking === null ? null : `cannot look at this host's network: ${looking}`;
  const process = service ?? unprovable;
  return {
    kinds: { cut: cut ?? looking, shape, pause: process, stop: process, restart: service },
  };
}

async function shapeReason(host: Host): Promise<Reason> {
  const nft = await nftReason(host, TRIAL_SHAPE);
  if (nft !== null) return nft;
  return await reasonOf(
    host.run,
    ['unshare', '--net', '--', 'tc', '-batch', '-'],
    SHAPE_TRIAL,
    describeTrialFailure,
  );
}

async function nftReason({ run, uid }: Host, lease: CutLease | ShapeLease): Promise<Reason> {
  if (uid !== 0) return `needs root; runs as user ${uid}`;
  return await reasonOf(run, ['nft', '--check', '--file', '-'], applyScript(lease));
}

async function serviceReason(
  { run, processes, hasSystemd, uid }: Host,
  units: readonly string[],
): Promise<Reason> {
  if (uid !== 0) return `needs root; runs as user ${uid}`;
  if (!hasSystemd) return 'systemd does not run on this host';
  const lacking = await reasonOf(run, ['systemd-run', '--version']);
  if (lacking !== null) return lacking;
  const states = await Promise.all(
    units.map(async (unit) => ({ unit, state: (await processes.state(unit)).state })),
  );
  const missing = states.find(({ state }) => state === 'gone');
  return missing === undefined ? null : `there is no unit ${missing.unit} on this host`;
}

async function reasonOf(
  run: RunCommand,
  argv: readonly [string, ...string[]],
  input = '',
  describe: (stderr: string) => string = (stderr) => stderr.trim().split('\n')[0] ?? '',
): Promise<Reason> {
  try {
    const finished = await run(argv, { input });
    return finished.code === 0 ? null : describe(finished.stderr) || firstLine(finished);
  } catch (error) {
    if (codeOf(error).startsWith('COMMAND_')) return messageOf(error);
    throw error;
  }
}
