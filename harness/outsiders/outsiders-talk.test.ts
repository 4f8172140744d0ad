import { describe, expect, it } from 'vitest';
import { FaultError } from '../../kit/errors.ts';
import { OutsidersTalk } from './outsiders-talk.ts';
import { LISTENING, type OutsidersConfig } from './protocol.ts';

const never = new AbortController().signal;
const forEver = new Promise<never>(() => {});
const CONFIG: OutsidersConfig = { network_id: 'rig', seed: 1, silence_max_ms: null, outsiders: [] };
const REPORT = [
  {
    kind: 'garbage',
    dialled: 3,
    handshakes: 2,
    refused: 1,
    last_refusal: 'WRONG_NETWORK',
    frames_sent: 9,
    closed_by_peer: 1,
  },
];

/** A talk with a program that answers each line by the next of `answers`. */
function talkWith(answers: readonly string[]): OutsidersTalk {
  const left = [...answers];
  const talk = new OutsidersTalk({
    say: () => {
      const answer = left.shift();
      if (answer !== undefined) queueMicrotask(() => talk.heard(answer));
    },
    gone: forEver,
  });
  return talk;
}

describe('a talk with outsiders', () => {
  it('begins when they listen, and gives what they report', async () => {
    const talk = talkWith([LISTENING, JSON.stringify(REPORT)]);
    await talk.begin(CONFIG, 1_000, never);
    expect(await talk.report(never)).toEqual([
      {
        kind: 'garbage',
        dialled: 3,
        handshakes: 2,
        refused: 1,
        lastRefusal: 'WRONG_NETWORK',
        framesSent: 9,
        closedByPeer: 1,
      },
    ]);
  });

  it('gives each answer to whoever asked for it', async () => {
    const of = (dialled: number) => JSON.stringify(REPORT.map((one) => ({ ...one, dialled })));
    const talk = talkWith([of(1), of(2)]);
    const [first, second] = await Promise.all([talk.report(never), talk.report(never)]);
    expect([first[0]?.dialled, second[0]?.dialled]).toEqual([1, 2]);
  });

  it.each(['Segmentation fault', '{"kind":"garbage"}'])(
    'names what was said in place of an answer: %s',
    async (line) => {
      const garbled = { code: 'OUTSIDERS_GARBLED', message: expect.stringContaining(line) };
      await expect(talkWith([line]).begin(CONFIG, 1_000, never)).rejects.toMatchObject(garbled);
      await expect(talkWith([line]).report(never)).rejects.toMatchObject(garbled);
    },
  );

  it('is over when they do not answer in time: no failure of the mesh', async () => {
    const error = await talkWith([])
      .begin(CONFIG, 20, never)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FaultError);
    expect(error).toMatchObject({ code: 'OUTSIDERS_GONE' });
  });

  it('keeps no more than a few questions that nobody answers', async () => {
    const talk = talkWith([]);
    const stop = new AbortController();
    const asked = Array.from({ length: 16 }, () => talk.report(stop.signal).catch(() => {}));
    await expect(talk.report(never)).rejects.toMatchObject({ code: 'OUTSIDERS_GONE' });
    stop.abort();
    await Promise.all(asked);
  });

  it('tells whoever asks why they are gone', async () => {
    const gone = Promise.reject(new FaultError('OUTSIDERS_GONE', 'killed'));
    const talk = new OutsidersTalk({ say: () => {}, gone });
    await expect(talk.report(never)).rejects.toMatchObject({ message: 'killed' });
  });
});
