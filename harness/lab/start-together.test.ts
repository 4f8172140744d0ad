import { describe, expect, it } from 'vitest';
import { startTogether } from './start-together.ts';

const never = new AbortController().signal;

describe('starting programs together', () => {
  it('gives the results in order', async () => {
    const works = [3, 1, 2].map((value) => async () => value);
    expect(await startTogether(works, never)).toEqual([3, 1, 2]);
  });

  it('throws the first failure only when none is under way any more', async () => {
    let underWay = 0;
    const slow = (signal: AbortSignal) => {
      underWay += 1;
      return new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => {
          setImmediate(() => {
            underWay -= 1;
            resolve();
          });
        });
      });
    };
    const fail = async () => {
      throw new Error('no disk');
    };
    await expect(startTogether([slow, fail, slow], never)).rejects.toThrow('no disk');
    expect(underWay).toBe(0);
  });

  it('starts nothing more once it was told to stop, and throws the reason', async () => {
    const abort = new AbortController();
    let started = 0;
    const works = Array.from({ length: 40 }, () => async () => {
      started += 1;
      abort.abort(new Error('SIGINT'));
    });
    await expect(startTogether(works, abort.signal)).rejects.toThrow('SIGINT');
    expect(started).toBeLessThan(40);
  });
});
