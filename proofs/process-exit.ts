import type { RecordOf } from './evidence.ts';

/**
 * Whether a process ended as it was meant to: the run asked for it, and it obeyed. An expected end with another code
 * than 0, or by another signal than the SIGTERM that asks for it, is a crash or a kill at the moment of stopping.
 */
export function endedWell({
  expected,
  code,
  signal,
}: Pick<RecordOf<'process_exited'>, 'expected' | 'code' | 'signal'>): boolean {
  return expected && (signal === null ? code === 0 : signal === 'SIGTERM');
}
