import { realClock } from '../../kit/clock.ts';
import { onParentGone } from '../../kit/lifeline.ts';
import { ensureBundle } from '../deploy/bundle.ts';
import { LocalMesh } from '../lab/local-mesh.ts';
import { JsonProgress } from '../progress/json-progress.ts';
import { PlainProgress } from '../progress/plain-progress.ts';
import type { Progress } from '../progress/progress.ts';
import { TtyProgress } from '../progress/tty-progress.ts';
import { executeRun, InterruptError } from '../run/execute-run.ts';
import type { ExitCode } from '../run/exit-code.ts';
import { loadGate } from '../run/load-gate.ts';
import type { RunOptions } from '../run/run-options.ts';
import type { RunArguments } from './run-flags.ts';
import { wholeNumber } from './run-flags.ts';

/** Runs `options` on a local mesh, followed on this terminal, ended early by SIGINT or SIGTERM. */
export async function carryOut(options: RunOptions, flags: RunArguments): Promise<ExitCode> {
  await loadGate(options.gate); // a bad gate is told before anything is built
  const basePort =
    flags['base-port'] === undefined
      ? undefined
      : wholeNumber('--base-port', flags['base-port'], 1_024, 65_000);
  const progress = progressFor(flags.json);
  const interrupt = new AbortController();
  const onSignal = (name: NodeJS.Signals) => interrupt.abort(new InterruptError(name));
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const letGo = onParentGone(() => interrupt.abort(new InterruptError('SIGHUP')));
  try {
    const bundle = await ensureBundle();
    return await executeRun(
      options,
      {
        bundle,
        network: flags.network,
        progress,
        startFleet: (plan, operatorKeys, signal) =>
          LocalMesh.start(
            {
              names: plan.roster.map(({ name }) => name),
              anchor: plan.anchor,
              bundle,
              networkId: plan.network,
              operatorKeys,
              basePort,
              onProcessStart: (node, role, pid) =>
                progress.show({ event: 'process_started', node, role, pid }),
            },
            signal,
          ),
      },
      interrupt.signal,
    );
  } finally {
    progress.close();
    letGo();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function progressFor(json: boolean): Progress {
  if (json) return new JsonProgress(process.stdout);
  if (process.stdout.isTTY) return new TtyProgress(process.stdout, () => realClock.nowMs());
  return new PlainProgress(process.stdout, () => realClock.wallMs());
}
