import * as z from 'zod';
import { causesOf, codeOf, MeshproofError, messageOf } from '../../kit/errors.ts';
import type { RecordOf } from '../../proofs/evidence.ts';
import { EXIT, type ExitCode, exitCodeOfError } from './exit-code.ts';
import { InterruptError } from './interrupt-error.ts';
import { StopError } from './stop-error.ts';

/** Runs `work` and gives what ended it early, the reason first, then what went wrong while cleaning up after it. */
export async function endingsOf(work: () => Promise<void>): Promise<readonly unknown[]> {
  try {
    await work();
    return [];
  } catch (error) {
    return unfold(error ?? new Error('ended without a reason'));
  }
}

/** A `SuppressedError` holds the error of a clean-up over the one that led to it. */
function unfold(error: unknown): readonly unknown[] {
  return error instanceof SuppressedError ? [...unfold(error.suppressed), ...unfold(error.error)] : [error];
}

/** The exit code of a run that ended early: the worst of its endings, a stop condition being the mildest. */
export function exitCodeOfEndings(endings: readonly unknown[]): ExitCode | undefined {
  if (endings.length === 0) return undefined;
  const codes = endings.map((ending) =>
    exitCodeOfError(ending) === EXIT.usage ? EXIT.fault : exitCodeOfError(ending),
  );
  return codes.toSorted((a, b) => b - a)[0];
}

const detailsSchema = z.record(z.string(), z.json());

/** An ending as evidence: a stop, an interrupt or a fault, with all that its error knows. */
export function endingRecord(
  ending: unknown,
): RecordOf<'run_stopped'> | RecordOf<'run_interrupted'> | RecordOf<'harness_fault'> {
  if (ending instanceof StopError) {
    return { type: 'run_stopped', condition: ending.condition, why: String(ending.details.why) };
  }
  if (ending instanceof InterruptError) {
    return { type: 'run_interrupted', signal: String(ending.details.signal) };
  }
  const causes = causesOf(ending).slice(1);
  const details = {
    ...(ending instanceof MeshproofError ? ending.details : { stack: stackOf(ending) }),
    ...(causes.length === 0 ? {} : { causes }),
  };
  return {
    type: 'harness_fault',
    code: codeOf(ending),
    message: messageOf(ending),
    details: detailsSchema.parse(JSON.parse(JSON.stringify(details))), // drops what JSON cannot hold
  };
}

function stackOf(error: unknown): readonly string[] {
  return error instanceof Error ? (error.stack ?? '').split('\n').slice(1, 9) : [];
}
