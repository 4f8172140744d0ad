import { codeOf, MeshproofError, messageOf, UsageError } from '../../kit/errors.ts';
import type { FaultAnswer } from './protocol.ts';

export const EXIT = { done: 0, fault: 5, usage: 64, internal: 70 } as const;

export function failureAnswer(error: unknown): Extract<FaultAnswer, { ok: false }> {
  const code = error instanceof MeshproofError ? error.code : `INTERNAL_${codeOf(error)}`;
  return { ok: false, code, message: messageOf(error) };
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  return error instanceof MeshproofError ? EXIT.fault : EXIT.internal;
}
