import type * as z from 'zod';
import type { Command, Outcome, Result, ResultKind } from './protocol.ts';

/** One execution of a command. */
export interface ActionCall {
  readonly command: Command;
  readonly requestId: string | null;
  /** Aborts when the runner stops. */
  readonly signal: AbortSignal;
  /** Says something to whoever sent the command; an action may do so more than once. */
  report(
    kind: ResultKind,
    details: Result['details'],
    how?: { outcome?: Outcome; digestMarker?: string },
  ): void;
}

/** What a runner can be asked to do. What it throws becomes a result of kind `error`. */
export interface Action {
  execute(params: Command['params'], call: ActionCall): Promise<void>;
}

/** Checks the parameters against `schema` before `run` sees them. */
export function action<S extends z.ZodType>(
  schema: S,
  run: (params: z.output<S>, call: ActionCall) => Promise<void> | void,
): Action {
  return {
    async execute(params, call) {
      const parsed = schema.safeParse(params);
      if (parsed.success) return await run(parsed.data, call);
      const issue = parsed.error.issues[0];
      const why = `${issue?.path.join('.') || 'params'}: ${issue?.message ?? 'does not fit'}`;
      call.report('error', {}, { outcome: { error: why, code: 'PARAMS_INVALID' } });
    },
  };
}
