// The fault program of a host: `faults.js OPERATION` with one JSON request on standard input, or `faults.js serve`.
import { withinBudget } from '../../kit/deadline.ts';
import { messageOf, UsageError } from '../../kit/errors.ts';
import { EXIT, exitCodeOf, failureAnswer } from './answer.ts';
import { FaultProgram, thisHost } from './fault-program.ts';
import { FAULT_OPERATION_NAMES, type FaultAnswer, type FaultOperation } from './protocol.ts';
import { readAll } from './read-lines.ts';
import { FaultSession } from './serve.ts';

const REQUEST_BUDGET_MS = 10_000;
const USAGE = `usage: faults.js serve | faults.js OPERATION < request.json; operations: ${FAULT_OPERATION_NAMES.join(', ')}; doctor takes --heal`;

function operationOf(
  args: readonly string[],
): { readonly op: FaultOperation; readonly body: object } | 'serve' | 'help' {
  const [name, ...flags] = args;
  if (name === 'serve' && flags.length === 0) return 'serve';
  if (name === '--help' || name === 'help') return 'help';
  const op = FAULT_OPERATION_NAMES.find((one) => one === name);
  if (op === undefined)
    throw new UsageError('BAD_ARGUMENTS', `unknown operation ${name ?? '(none)'}; ${USAGE}`);
  if (flags.length === 0) return { op, body: {} };
  if (op === 'doctor' && flags.length === 1 && flags[0] === '--heal') return { op, body: { heal: true } };
  throw new UsageError('BAD_ARGUMENTS', `${op} does not take ${flags.join(' ')}; ${USAGE}`);
}

/** An empty input is an empty request, so that `faults.js list < /dev/null` does. */
async function readRequest(): Promise<object> {
  if (process.stdin.isTTY) return {};
  const text = await withinBudget('the request on standard input', REQUEST_BUDGET_MS, () =>
    readAll(process.stdin),
  );
  if (text.trim() === '') return {};
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null) return body;
  } catch (cause) {
    throw new UsageError('BAD_REQUEST', `the request is not JSON: ${messageOf(cause)}`, { cause });
  }
  throw new UsageError('BAD_REQUEST', 'the request is not a JSON object');
}

async function answerOnce(program: FaultProgram, op: FaultOperation, flags: object): Promise<void> {
  const result = await program.handle(op, { ...(await readRequest()), ...flags });
  say({ ok: true, result });
}

async function serve(program: FaultProgram): Promise<void> {
  const ending = new AbortController();
  // Not `once`: a second signal must not end the process while it reverts.
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, () => ending.abort());
  const session = new FaultSession(program);
  await session.serve({ input: process.stdin, output: process.stdout, signal: ending.signal });
}

function say(answer: FaultAnswer): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

/** Ends when all is written; standard input may still be open and must not hold the process. */
function exit(code: number): void {
  process.exitCode = code;
  process.stdout.write('', () => process.exit());
}

process.stdout.on('error', () => {}); // whoever asked is gone; what was asked for is done all the same
try {
  const asked = operationOf(process.argv.slice(2));
  if (asked === 'help') process.stdout.write(`${USAGE}\n`);
  else if (asked === 'serve') await serve(new FaultProgram(thisHost(process.env)));
  else await answerOnce(new FaultProgram(thisHost(process.env)), asked.op, asked.body);
  exit(EXIT.done);
} catch (error) {
  say(failureAnswer(error));
  exit(exitCodeOf(error));
}
