import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { judge } from '../../gates/judge.ts';
import { realClock } from '../../kit/clock.ts';
import { codeOf, MeshproofError, messageOf } from '../../kit/errors.ts';
import { Random } from '../../kit/random.ts';
import { JournalWriter } from '../../proofs/journal.ts';
import type { Plan } from '../../proofs/plan-schema.ts';
import { ProofDirectory } from '../../proofs/proof-directory.ts';
import { readProof } from '../../proofs/read-proof.ts';
import { writeReports } from '../../proofs/reports/write-reports.ts';
import type { NodeBundle } from '../deploy/bundle.ts';
import type { Fleet } from '../fleet/mesh-host.ts';
import type { Progress } from '../progress/progress.ts';
import { conductRun } from './conduct-run.ts';
import { EXIT, type ExitCode, exitCodeOfVerdict } from './exit-code.ts';
import { judgeProof } from './judge-proof.ts';
import { type LoadedGate, loadGate } from './load-gate.ts';
import { makePlan } from './make-plan.ts';
import { runEnvironment } from './run-environment.ts';
import { RunLedger } from './run-ledger.ts';
import type { RunOptions } from './run-options.ts';
import { VERSION } from './version.ts';

/** The operator asked the run to end. */
export class InterruptError extends MeshproofError {
  constructor(signalName: string) {
    super('INTERRUPTED', `${signalName} received`, { details: { signal: signalName } });
  }
}

/** What a run needs from outside: where its nodes come from, and who watches. */
export interface RunModules {
  readonly bundle: NodeBundle;
  readonly network: string;
  readonly progress: Progress;
  readonly startFleet: (plan: Plan, operatorKeys: readonly string[], signal: AbortSignal) => Promise<Fleet>;
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
  const plan = planOf(options, modules, gate);
  const dir = options.proofDir ?? `proofs/runs/${plan.run_id}`;
  const directory = await ProofDirectory.create(dir);
  const { planSha256 } = await directory.writePlan(plan);
  await directory.writeGate(gate.text);
  const journal = await JournalWriter.create(directory.journalPath, { runId: plan.run_id, clock: realClock });
  const ledger = new RunLedger({ journal, directory });
  const { progress } = modules;

  await ledger.record({
    type: 'run_started',
    run_id: plan.run_id,
    version: VERSION,
    command: [...options.command],
    environment: runEnvironment(),
  });
  await ledger.record({ type: 'plan_sealed', plan, plan_sha256: planSha256 });
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

  const ending = await endingOf(() =>
    conductRun(
      {
        ...modules,
        plan,
        ledger,
        judgeWindow: (window) => judge(ledger.evidenceUpTo(plan, window), gate.gate),
      },
      { discoverMs: options.discoverMs },
      signal,
    ),
  );
  if (ending instanceof InterruptError) {
    const name = String(ending.details.signal);
    await ledger.record({ type: 'run_interrupted', signal: name });
    progress.show({ event: 'interrupted', signal: name });
  } else if (ending !== undefined) {
    const details = z
      .record(z.string(), z.json())
      .parse(ending instanceof MeshproofError ? ending.details : {});
    await ledger.record({ type: 'harness_fault', code: codeOf(ending), message: messageOf(ending), details });
    progress.show({ event: 'fault', code: codeOf(ending), message: messageOf(ending) });
  }

  const { verdict } = await judgeProof(dir, gate);
  await ledger.record({ type: 'judged', verdict });
  const exitCode =
    ending instanceof InterruptError
      ? EXIT.interrupted
      : ending !== undefined
        ? EXIT.fault
        : exitCodeOfVerdict(verdict.overall);
  await ledger.record({ type: 'run_finished', exit_code: exitCode, took_ms: realClock.nowMs() - startedMs });
  await journal.close();
  await writeReports(await readProof(dir), verdict); // read again: the reports tell how the run finished
  progress.show({
    event: 'judged',
    verdict: verdict.overall,
    reasons: verdict.reasons,
    proof_dir: dir,
    exit_code: exitCode,
  });
  return exitCode;
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

/** What ended the work early, or `undefined` when it ended by itself. */
async function endingOf(work: () => Promise<void>): Promise<unknown> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error ?? new Error('ended without a reason');
  }
}
