import { expect, it } from 'vitest';
import { PlumTree } from './plumtree.ts';

const TOPIC = 't';

/** Three links, a message every 100 ms; gives when `slow` is cooled, if each of its answers takes `answerMs`. */
function cooledAfterMs(answerMs: number): number | undefined {
  const core = new PlumTree();
  for (const peer of ['slow', 'b', 'c']) core.peerUp(peer, 'perOrigin', 0);
  const answers: { readonly peer: string; readonly number: number; readonly atMs: number }[] = [];
  for (let nowMs = 0; nowMs < 20_000; nowMs += 10) {
    for (const { peer, number } of answers.filter(({ atMs }) => atMs === nowMs))
      core.control(peer, { kind: 'echoed', number }, nowMs);
    const id = nowMs.toString(16).padStart(64, '0');
    const message = { id, topic: TOPIC, origin: 'us', hops: 0, bornAtMs: nowMs, frame: new Uint8Array(8) };
    if (nowMs % 100 === 0) core.published(message, nowMs);
    for (const effect of core.tick(nowMs)) {
      if (effect.type !== 'control' || effect.frame.kind !== 'echo') continue;
      const { peer, frame } = effect;
      answers.push({ peer, number: frame.number, atMs: nowMs + (peer === 'slow' ? answerMs : 10) });
    }
    if (core.cooling.isSuppressed('slow', TOPIC)) return nowMs;
  }
  return undefined;
}

it('cools a peer that says nothing any more at the third timeout, one that answers late at the fifth', () => {
  expect(cooledAfterMs(Number.POSITIVE_INFINITY)).toBe(3_250);
  expect(cooledAfterMs(1_500)).toBe(5_250);
  expect(cooledAfterMs(500)).toBeUndefined();
});
