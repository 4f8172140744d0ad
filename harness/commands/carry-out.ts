import { realClock } from '../../kit/clock.ts';
import { onParentGone } from '../../kit/lifeline.ts';
import { ensureBundle } from '../deploy/bundle.ts';
import { checkUpgradeBundle } from '../deploy/second-bundle.ts';
import type { Inventory } from '../fleet/inventory.ts';
import { LocalMesh } from '../lab/local-mesh.ts';
import { JsonProgress } from '../progress/json-progress.ts';
import { PlainProgress } from '../progress/plain-progress.ts';
import type { Progress } from '../progress/progress.ts';
import { checkGateFits } from '../run/check-gate-fits.ts';
import { checkSafety } from '../run/check-safety.ts';
import { executeRun } from '../run/execute-run.ts';
import { EXIT, type ExitCode } from '../run/exit-code.ts';
import { loadGate } from '../run/load-gate.ts';
import type { RunOptions } from '../run/run-options.ts';
import { EarlyEnd } from './early-end.ts';
import { wholeNumber } from './flag-value.ts';
import { linked, linksOfLabRun, linksOfRun } from './links-of-run.ts';
import { checkEnvironment } from './mesh-of-run.ts';
import { confirmNetworkOf } from './network-flags.ts';
import type { RunArguments } from './run-flags.ts';

const DEFAULT_NETWORK = 'test';

/**
 * Runs `options` on the hosts of `inventory`, or on a mesh on this machine where that is null, followed on this terminal,
 * ended early by SIGINT, SIGTERM or SIGHUP.
 */
export async function carryOut(
  options: RunOptions,
  flags: RunArguments,
  inventory: Inventory | null,
): Promise<ExitCode> {
  const gate = await loadGate(options.gate); // what cannot be is told before anything is built
  checkGateFits(
    gate,
    options.scenarios.map(({ name }) => name),
  );
  checkSafety(options);
  await checkUpgradeBundle(flags['upgrade-bundle']);
  if (inventory !== null) return await carryOutOnHosts(options, flags, inventory);
  const basePort =
    flags['base-port'] === undefined
      ? undefined
      : wholeNumber('--base-port', flags['base-port'], 1_024, 65_000);
  const links = await linksOfRun(flags, options);
  const progress = await progressFor(flags.json ? 'json' : 'person');
  using early = new EarlyEnd(progress);
  const letGo = onParentGone(() => early.end('SIGHUP'));
  try {
    const bundle = await ensureBundle().catch((error: unknown) => {
      early.signal.throwIfAborted(); // Ctrl-C reaches the bundler too, which then fails
      throw error;
    });
    const exitCode = await executeRun(
      { ...options, ...linked(options.nodes, links) },
      {
        bundle,
        network: flags.network ?? DEFAULT_NETWORK,
        progress,
        startFleet: (plan, operatorKeys, signal) =>
          LocalMesh.start(
            {
              names: plan.roster.map(({ name }) => name),
              anchor: plan.anchor,
              bundle,
              upgradeBundle: flags['upgrade-bundle'],
              networkId: plan.network,
              operatorKeys,
              basePort,
              links,
              linkSeed: plan.seed,
              onBroken: (error) => early.breakOff(error),
              onProcessStart: (node, role, pid) =>
                progress.show({ event: 'process_started', node, role, pid }),
            },
            signal,
          ),
      },
      early.signal,
    );
    return sound(exitCode, early);
  } finally {
    progress.close();
    letGo();
  }
}

async function carryOutOnHosts(
  options: RunOptions,
  flags: RunArguments,
  inventory: Inventory,
): Promise<ExitCode> {
  checkEnvironment(inventory, flags.environment, options);
  const progress = await progressFor(flags.json ? 'json' : 'person');
  using early = new EarlyEnd(progress);
  const letGo = onParentGone(() => early.end('SIGHUP'));
  try {
    const confirmed = { network: flags.network, confirmNetwork: flags['confirm-network'] };
    await confirmNetworkOf(inventory, confirmed, early.signal);
    const { hostsOfRun } = await import('./run-on-hosts.ts'); // and SSH, which a local mesh has no use for
    await using lab = await linksOfLabRun(inventory, early.signal);
    lab?.onBroken((error) => early.breakOff(error));
    const { 'operator-key': operatorKey, 'upgrade-bundle': upgradeBundle } = flags;
    await using hosts = await hostsOfRun(inventory, { operatorKey, upgradeBundle }, early.signal);
    const exitCode = await executeRun(
      { ...options, ...linked(options.nodes, lab?.links) },
      { ...hosts.modules, progress },
      early.signal,
    );
    return sound(exitCode, early);
  } finally {
    progress.close();
    letGo();
  }
}

/**
 * The exit code of a run, unless an error that nobody caught came too late to be told by it.
 * @throws that error
 */
function sound(exitCode: ExitCode, early: EarlyEnd): ExitCode {
  if (exitCode < EXIT.fault) early.throwIfDefective();
  return exitCode;
}

async function progressFor(reader: 'json' | 'person'): Promise<Progress> {
  if (reader === 'json') return new JsonProgress(process.stdout);
  if (process.stdout.isTTY) {
    const { TtyProgress } = await import('../progress/tty-progress.ts'); // and what it measures and wraps text with
    return new TtyProgress(process.stdout, () => realClock.nowMs());
  }
  return new PlainProgress(process.stdout, () => realClock.wallMs());
}
