import { FaultError, messageOf } from '../../kit/errors.ts';
import {
  answerSchema,
  FAULT_OPERATIONS,
  type FaultAnswer,
  type FaultOperation,
  type FaultResult,
} from '../../runner/faults/protocol.ts';
import { DEPLOYED_PATHS } from '../fleet/deployed-host.ts';
import type { Host } from '../fleet/host.ts';

/** How the fault program of a deployed host is started. */
export const FAULT_PROGRAM = [DEPLOYED_PATHS.nodeBinary, DEPLOYED_PATHS.faultProgram] as const;

/**
 * Runs the fault program of `host` for one request, as root. Nothing of a session that runs beside it is shared, so
 * what it finds is what the kernel and systemd hold.
 * @throws FaultError `FAULT_PROGRAM_MISSING` where nothing is deployed, the program's own code when it refuses,
 * `FAULT_PROGRAM_UNREADABLE`; and what `Host.exec` throws
 */
export async function askFaultProgram<Op extends FaultOperation>(
  host: Pick<Host, 'name' | 'exec'>,
  op: Op,
  body: object,
  { budgetMs, signal }: { readonly budgetMs: number; readonly signal: AbortSignal },
): Promise<FaultResult<Op>> {
  const stdin = JSON.stringify(body);
  const { code, stdout, stderr } = await host.exec([...FAULT_PROGRAM, op], {
    stdin,
    budgetMs,
    signal,
    as: 'root',
  });
  if (code === COMMAND_NOT_FOUND) {
    throw new FaultError('FAULT_PROGRAM_MISSING', `${host.name}: no meshproof is deployed there`, {
      details: { host: host.name, path: FAULT_PROGRAM[0] },
    });
  }
  return resultOf(host.name, op, readAnswer(host.name, stdout, stderr));
}

const COMMAND_NOT_FOUND = 127; // by the shell, and by timeout(1)

/**
 * What an answer holds.
 * @throws FaultError with the program's own code when it refused; `FAULT_PROGRAM_UNREADABLE` when the answer is none of `op`
 */
export function resultOf<Op extends FaultOperation>(
  host: string,
  op: Op,
  answer: FaultAnswer,
): FaultResult<Op> {
  if (!answer.ok) {
    throw new FaultError(answer.code, `${host}: ${answer.message}`, { details: { host, operation: op } });
  }
  const parsed = FAULT_OPERATIONS[op].result.safeParse(answer.result);
  if (parsed.success) return parsed.data as FaultResult<Op>; // the compiler cannot pair schema and operation
  throw unreadable(host, parsed.error);
}

function readAnswer(host: string, stdout: string, stderr: string): FaultAnswer {
  try {
    return answerSchema.parse(JSON.parse(stdout));
  } catch (cause) {
    throw unreadable(host, cause, stderr.trim().split('\n').at(-1));
  }
}

/** The program said something that is no answer. */
export function unreadable(host: string, cause: unknown, said = ''): FaultError {
  const why = said === '' ? (messageOf(cause).split('\n')[0] ?? '') : said;
  return new FaultError(
    'FAULT_PROGRAM_UNREADABLE',
    `${host}: its fault program did not answer as agreed: ${why}`,
    {
      details: { host },
      cause,
    },
  );
}
