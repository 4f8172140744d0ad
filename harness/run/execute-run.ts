import { randomBytes } from 'node:crypto';
import { judge } from '../../gates/judge.ts';
import { realClock } from '../../kit/clock.ts';
import { Random } from '../../kit/random.ts';
import { JournalWriter } from '../../proofs/journal.ts';
import type { Plan } from '../../proofs/plan-schema.ts';
import { ProofDirectory } from '../../proofs/proof-directory.ts';
import type { NodeBundle } from '../deploy/bundle.ts';
import type { Fleet } from '../fleet/mesh-host.ts';
import type { Progress } from '../progress/progress.ts';
import { VERSION } from '../version.ts';
import { checkGateFits } from './check-gate-fits.ts';
import { checkSafety } from './check-safety.ts';
import { concludeRun } from './conclude-run.ts';
import { type ConductModules, conductRun } from './conduct-run.ts';
import type { ExitCode } from './exit-code.ts';
import { InterruptError } from './interrupt-error.ts';
import { type LoadedGate, loadGate } from './load-gate.ts';
import { makePlan } from './make-plan.ts';
import { endingsOf } from './run-ending.ts';
import { runEnvironment } from './run-environment.ts';
import { RunLedger } from './run-ledger.ts';
import type { RunOptions } from './run-options.ts';

/** What a run needs from outside: where its nodes come from, and who watches. */
export interface RunModules {
  readonly bundle: Pick<NodeBundle, 'sha256'>;
  readonly network: string;
  readonly progress: Progress;
  readonly startFleet: (plan: Plan, operatorKeys: readonly string[], signal: AbortSignal) => Promise<Fleet>;
  readonly operatorKey?: ConductModules['operatorKey'];
}

/**
 * Carries out a run from plan to verdict and gives its exit code. Whatever happens after the plan is sealed, the
 * fleet is taken down, the evidence is judged and the reports are written; `signal` aborted by an `InterruptError`
 * ends it early.
 * @throws UsageError before anything is started; FaultError when the proof itself cannot be written
 */
export async function executeRun(
  options: RunOptions,
  modules: RunModules,
  signal: AbortSignal,
): Promise<ExitCode> {
  const startedMs = realClock.nowMs();
  const gate = await loadGate(options.gate);
  checkGateFits(
    gate,
    options.scenarios.map(({ name }) => name),
  );
  checkSafety(options);
  const plan = planOf(options, modules, gate);
  const dir = options.proofDir ?? `proofs/runs/${plan.run_id}`;
  const directory = await ProofDirectory.create(dir);
  const { planSha256 } = await directory.writePlan(plan);
  await directory.writeGate(gate.text);
  const { progress } = modules;
  await using journal = await JournalWriter.create(directory.journalPath, {
    runId: plan.run_id,
    clock: realClock,
  });
  const ledger = new RunLedger({ journal, directory });
  await openEvidence(ledger, options, plan, planSha256);
  showStart(progress, plan, dir);

  const onAbort = () => {
    if (signal.reason instanceof InterruptError) {
      progress.show({ event: 'interrupted', signal: String(signal.reason.details.signal) });
    }
  };
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    const judgeWindow = (window: number) => judge(ledger.evidenceOf(plan, window), gate.gate);
    const endings = await endingsOf(() =>
      conductRun({ ...modules, plan, ledger, judgeWindow }, { discoverMs: options.discoverMs }, signal),
    );
    return await concludeRun({ dir, gate, ledger, progress, startedMs }, endings);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function openEvidence(
  ledger: RunLedger,
  { command }: RunOptions,
  plan: Plan,
  planSha256: string,
): Promise<void> {
  await ledger.record({
    type: 'run_started',
    run_id: plan.run_id,
    version: VERSION,
    command: [...command],
    environment: runEnvironment(),
  });
  await ledger.record({ type: 'plan_sealed', plan, plan_sha256: planSha256 });
}

function showStart(progress: Progress, plan: Plan, dir: string): void {
  progress.show({
    event: 'run_started',
    run_id: plan.run_id,
    proof_dir: dir,
    nodes: plan.roster.map(({ name }) => name),
    anchor: plan.anchor,
    gate: plan.gate.name,
    scenarios: plan.scenarios.map(({ name }) => name),
    windows: plan.windows.count,
    interval_ms: plan.windows.interval_ms,
    seed: plan.seed,
  });
}

function planOf(options: RunOptions, { bundle, network }: RunModules, gate: LoadedGate): Plan {
  const createdWallMs = realClock.wallMs();
  const stamp = new Date(createdWallMs).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return makePlan(options, {
    runId: `${stamp}-${randomBytes(3).toString('hex')}`,
    createdWallMs,
    seed: options.seed ?? Random.freshSeed(),
    network,
    gate: { name: gate.gate.name, sha256: gate.sha256 },
    bundleSha256: bundle.sha256,
  });
}
