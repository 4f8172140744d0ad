import { DeadlineError } from '../../kit/deadline.ts';
import { FaultError, UsageError } from '../../kit/errors.ts';
import type { VerdictWord } from '../../proofs/evidence.ts';
import { LeftChangedError } from '../fleet/left-changed-error.ts';
import { InterruptError } from './interrupt-error.ts';
import { StopError } from './stop-error.ts';

/** The published exit codes; `docs/exit-codes.md` explains each to operators. */
export const EXIT = {
  go: 0,
  noGo: 1,
  inconclusive: 2,
  stopped: 3,
  interrupted: 4,
  fault: 5,
  dirty: 6,
  usage: 64,
  internal: 70,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_VERDICT: Record<VerdictWord, ExitCode> = {
  GO: EXIT.go,
  'NO-GO': EXIT.noGo,
  INCONCLUSIVE: EXIT.inconclusive,
};

export function exitCodeOfVerdict(verdict: VerdictWord): ExitCode {
  return BY_VERDICT[verdict];
}

/** What the machine refused (a full disk, no more processes) is a fault; what nobody foresaw is a defect of ours. */
export function exitCodeOfError(error: unknown): ExitCode {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof StopError) return EXIT.stopped;
  if (error instanceof InterruptError) return EXIT.interrupted;
  if (error instanceof LeftChangedError) return EXIT.dirty;
  if (error instanceof FaultError || error instanceof DeadlineError) return EXIT.fault;
  if (error instanceof Error && 'syscall' in error) return EXIT.fault;
  return EXIT.internal;
}
