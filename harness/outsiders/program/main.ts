// Outsiders: hostile peers that join a mesh of ours from outside its roster. For tests of that mesh and nothing else. Ends
// when its stdin closes or stays silent for too long, on signals, and when its parent is gone.
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { createSigning } from '../../../kit/create-signing.ts';
import { messageOf } from '../../../kit/errors.ts';
import { onParentGone } from '../../../kit/lifeline.ts';
import { Random } from '../../../kit/random.ts';
import { serviceManager } from '../../../kit/systemd-notify.ts';
import { LISTENING, type OutsidersReport, outsidersConfig } from '../protocol.ts';
import { attack } from './attack.ts';
import { newTally } from './life.ts';

const EXIT = { stopped: 0, usage: 64, internal: 70, overdue: 71 } as const;
/** To say good-bye to every node. */
const LEAVE_BUDGET_MS = 3_000;
/** For the configuration to come. */
const FIRST_WORD_BUDGET_MS = 15_000;

const complain = (why: string) => void process.stderr.write(`outsiders: ${why}\n`);
process.on('uncaughtException', (error: unknown) => {
  complain(messageOf(error));
  process.exit(EXIT.internal);
});

const over = new AbortController();
const stop = () => {
  if (over.signal.aborted) return;
  over.abort();
  setTimeout(() => process.exit(EXIT.overdue), LEAVE_BUDGET_MS);
};
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, stop);
process.stdout.on('error', () => {}); // nobody listens any more; the closed stdin says so too
onParentGone(stop);
// Where systemd started it, it is killed when its event loop stands still.
serviceManager({ onFailure: complain }).ready();

const lines = createInterface({ input: process.stdin }).on('close', stop);
const wordless = setTimeout(stop, FIRST_WORD_BUDGET_MS);
const [text] = await once(lines, 'line', { signal: over.signal }).catch(() => process.exit(EXIT.stopped));
clearTimeout(wordless);
const parsed = outsidersConfig.safeParse(parseJson(text));
if (!parsed.success) {
  const issue = parsed.error.issues[0];
  complain(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not a configuration'}`);
  process.exit(EXIT.usage);
}
const { network_id: networkId, seed, silence_max_ms: silenceMaxMs, outsiders } = parsed.data;
const silence = silenceMaxMs === null ? null : setTimeout(stop, silenceMaxMs);

const tallies = outsiders.map(newTally);
lines.on('line', () => {
  silence?.refresh();
  process.stdout.write(`${JSON.stringify(report())}\n`);
});
const signing = await createSigning();
const attacks = outsiders.map(({ kind, bind, targets }, index) => {
  const tally = tallies[index] ?? newTally();
  const random = new Random(seed + index);
  return attack({ kind, bind, targets, networkId }, { signing, random, tally }, over.signal);
});
process.stdout.write(`${LISTENING}\n`);
await Promise.all(attacks);
await signing.close();
process.exit(EXIT.stopped);

function report(): OutsidersReport {
  return tallies.map((tally, index) => ({
    kind: outsiders[index]?.kind ?? 'silent',
    dialled: tally.dialled,
    handshakes: tally.handshakes,
    refused: tally.refused,
    last_refusal: tally.lastRefusal,
    frames_sent: tally.framesSent,
    closed_by_peer: tally.closedByPeer,
  }));
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
