/** A value that survives JSON unchanged; the only thing an error or a record may carry as detail. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

interface ErrorOptions {
  readonly details?: JsonObject;
  readonly cause?: unknown;
}

/**
 * The base of every error that meshproof raises on purpose. `code` is stable and UPPER_SNAKE; `message` tells a
 * person what happened, to what, and what to do; `details` is JSON, so that an error can become evidence.
 */
export class MeshproofError extends Error {
  readonly code: string;
  readonly details: JsonObject;

  constructor(code: string, message: string, { details = {}, cause }: ErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
    this.details = details;
  }

  toJSON(): JsonObject {
    return { code: this.code, message: this.message, details: this.details };
  }
}

/** The person asked for something that cannot be: a bad flag, file, key or value. Exit 64, never a stack trace. */
export class UsageError extends MeshproofError {}

/** The harness, the control plane or the machine failed, not the mesh under test. Exit 5. */
export class FaultError extends MeshproofError {}

/** The code of any thrown value: ours, Node's (`ECONNREFUSED`), or `UNKNOWN`. */
export function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return 'UNKNOWN';
}

/** One line for a person, from any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The chain of causes, outermost first, one line each: what `--debug` prints. */
export function causesOf(error: unknown): readonly string[] {
  const lines: string[] = [];
  for (let at: unknown = error; at !== undefined && lines.length < 16; ) {
    lines.push(`${codeOf(at)}: ${messageOf(at)}`);
    at = at instanceof Error ? at.cause : undefined;
  }
  return lines;
}
