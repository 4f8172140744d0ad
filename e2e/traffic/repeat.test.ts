import { describe, expect, it } from 'vitest';
import { MeshproofProcess } from '../meshproof-process.ts';

/** `MESHPROOF_REPEAT=20 npx vitest run e2e/traffic/repeat.test.ts` is the long form. */
const TIMES = Number(process.env.MESHPROOF_REPEAT ?? '2');

describe('runs in a row', () => {
  it.for(Array.from({ length: TIMES }, (_, index) => index + 1))('number %i gives 30 of 30', async () => {
    await using run = await MeshproofProcess.start('run', '--local', '6', '--scenarios', 'baseline');
    expect(await run.exit(), run.told()).toBe(0);
    const pairs = run.events.filter((event) => event.event === 'pairs_delivered');
    expect(pairs.at(-1)?.pairs).toHaveLength(30);
  });
});
