// Outsiders: hostile peers that join a mesh of ours from outside its roster. For tests of that mesh and nothing else. Ends
// when its stdin closes, on signals, and when its parent is gone.
import { createInterface } from 'node:readline';
import { createSigning } from '../../../kit/create-signing.ts';
import { messageOf } from '../../../kit/errors.ts';
import { onParentGone } from '../../../kit/lifeline.ts';
import { Random } from '../../../kit/random.ts';
import { attack } from './attack.ts';
import { newTally } from './life.ts';
import { type OutsidersReport, outsidersConfig } from './protocol.ts';

const EXIT = { stopped: 0, usage: 64, internal: 70 } as const;

process.on('uncaughtException', (error: unknown) => {
  process.stderr.write(`outsiders: ${messageOf(error)}\n`);
  process.exit(EXIT.internal);
});
const parsed = outsidersConfig.safeParse(parseJson(process.argv[2] ?? ''));
if (!parsed.success) {
  const issue = parsed.error.issues[0];
  process.stderr.write(
    `outsiders: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not a configuration'}\n`,
  );
  process.exit(EXIT.usage);
}
const { network_id: networkId, seed, outsiders } = parsed.data;

const over = new AbortController();
const stop = () => over.abort();
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, stop);
process.stdout.on('error', () => {}); // nobody listens any more; the closed stdin says so too
onParentGone(stop);
const lines = createInterface({ input: process.stdin });
lines.on('line', () => process.stdout.write(`${JSON.stringify(report())}\n`));
lines.on('close', stop);

const signing = await createSigning();
const tallies = outsiders.map(newTally);
const attacks = outsiders.map(({ kind, bind, targets }, index) => {
  const tally = tallies[index] ?? newTally();
  const random = new Random(seed + index);
  return attack({ kind, bind, targets, networkId }, { signing, random, tally }, over.signal);
});
process.stdout.write('listening\n');
await Promise.all(attacks);
await signing.close();
process.exit(EXIT.stopped);

function report(): OutsidersReport {
  return tallies.map((tally, index) => ({
    kind: outsiders[index]?.kind ?? 'silent',
    dialled: tally.dialled,
    handshakes: tally.handshakes,
    refused: tally.refused,
    frames_sent: tally.framesSent,
    closed_by_peer: tally.closedByPeer,
  }));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
