// The link agent: carries the datagrams of a local mesh over links that can be made bad, and holds its faults. Obeys
// JSON lines on stdin; ends, undoing every fault, when that closes, on signals, and when its parent is gone.
import { constants, setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { codeOf, messageOf } from '../../../kit/errors.ts';
import { onParentGone } from '../../../kit/lifeline.ts';
import { Agent } from './agent.ts';
import { type AnswerLine, requestLine } from './protocol.ts';

const EXIT = { stopped: 0, internal: 70 } as const;

try {
  setPriority(constants.priority.PRIORITY_HIGH); // a link must not become slow because its nodes are busy
} catch {} // which only root may ask for

const seed = Number(process.argv[2] ?? 0);
const agent = new Agent(seed, () => performance.now());

process.once('exit', () => agent.close()); // every way out but SIGKILL comes by here
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => process.exit(EXIT.stopped));
process.on('uncaughtException', (error: unknown) => {
  process.stderr.write(`link agent: ${messageOf(error)}\n`);
  process.exit(EXIT.internal);
});
process.stdout.on('error', () => {}); // nobody listens any more; the closed stdin says so too
onParentGone(() => process.exit(EXIT.stopped));

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => void handle(line));
lines.on('close', () => process.exit(EXIT.stopped));
process.stdout.write('listening\n');

async function handle(line: string): Promise<void> {
  const parsed = requestLine.safeParse(parseJson(line));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const why = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not a request'}`;
    tell({ id: idOf(line), ok: false, code: 'BAD_REQUEST', message: why });
    return;
  }
  const { id, request } = parsed.data;
  try {
    tell({ id, ok: true, result: await agent.answer(request) });
  } catch (error) {
    tell({ id, ok: false, code: codeOf(error), message: messageOf(error) });
  }
}

function tell(answer: AnswerLine): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function idOf(line: string): number {
  const document = parseJson(line);
  const id = typeof document === 'object' && document !== null && 'id' in document ? document.id : undefined;
  return typeof id === 'number' && Number.isInteger(id) ? id : -1;
}
