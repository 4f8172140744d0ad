import { realClock } from '../../kit/clock.ts';
import type { Verdict } from '../../proofs/evidence.ts';
import { dirtOf } from '../../proofs/fault-history.ts';
import { readProof } from '../../proofs/read-proof.ts';
import { writeReports } from '../../proofs/reports/write-reports.ts';
import type { Progress } from '../progress/progress.ts';
import { EXIT, type ExitCode, exitCodeOfError, exitCodeOfVerdict } from './exit-code.ts';
import { judgeProof } from './judge-proof.ts';
import type { LoadedGate } from './load-gate.ts';
import { endingRecord, exitCodeOfEndings } from './run-ending.ts';
import type { RunLedger } from './run-ledger.ts';

export interface ConcludeModules {
  readonly dir: string;
  readonly gate: LoadedGate;
  readonly ledger: Pick<RunLedger, 'record'>;
  readonly progress: Progress;
  readonly startedMs: number;
}

/**
 * Ends a run whose mesh is down: records what ended it early, judges the proof as it lies on disk, writes the reports,
 * and gives the exit code. When judging or a report fails, the run is finished on record even so.
 * @throws FaultError when evidence or reports cannot be written; whatever judging throws
 */
export async function concludeRun(run: ConcludeModules, endings: readonly unknown[]): Promise<ExitCode> {
  const { dir, gate, ledger, progress } = run;
  for (const ending of endings) {
    const record = endingRecord(ending);
    await ledger.record(record);
    if (record.type === 'run_stopped') {
      progress.show({ event: 'stopped', condition: record.condition, why: record.why });
    }
    if (record.type === 'harness_fault') {
      progress.show({ event: 'fault', code: record.code, message: record.message });
    }
  }
  await ledger.record({ type: 'evidence_closed' });
  const finish = (exitCode: ExitCode) =>
    ledger.record({
      type: 'run_finished',
      exit_code: exitCode,
      took_ms: realClock.nowMs() - run.startedMs,
    });

  const { verdict, proof } = await judgeProof(dir, gate).catch(async (error: unknown) => {
    await ledger.record(endingRecord(error));
    await finish(exitCodeOfError(error));
    throw error;
  });
  await ledger.record({ type: 'judged', verdict });
  // A fault that may still stand outweighs everything: somebody has to go and look.
  const isDirty = dirtOf(proof.records).length > 0;
  const exitCode = isDirty ? EXIT.dirty : (exitCodeOfEndings(endings) ?? exitCodeOfVerdict(verdict.overall));
  await finish(exitCode);
  try {
    await writeReports(await readProof(dir), verdict); // read again: the reports tell how the run finished
  } catch (error) {
    // The verdict stands: it is on record, and the reports can be made again from there.
    showVerdict(run, verdict, exitCodeOfError(error));
    throw error;
  }
  showVerdict(run, verdict, exitCode);
  return exitCode;
}

function showVerdict(
  { progress, dir, startedMs }: ConcludeModules,
  verdict: Verdict,
  exitCode: ExitCode,
): void {
  progress.show({
    event: 'judged',
    verdict: verdict.overall,
    reasons: verdict.reasons,
    proof_dir: dir,
    exit_code: exitCode,
    took_ms: realClock.nowMs() - startedMs,
  });
}
