import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { JsonProgress } from './json-progress.ts';

describe('progress for a reader that stopped reading', () => {
  it('waits in bounded memory, drops whole lines, and tells how many', () => {
    const out = new PassThrough({ highWaterMark: 1 });
    const progress = new JsonProgress(out);
    const reasons = ['x'.repeat(100_000)];
    for (let n = 0; n < 300; n += 1) {
      progress.show({ event: 'window_judged', window: 1, verdict: 'NO-GO', reasons, took_ms: 1 });
    }
    expect(out.writableLength + out.readableLength).toBeLessThan(9_000_000);
    progress.close();
    const lines = String(out.read()).concat(String(out.read() ?? ''));
    expect(() => JSON.parse(lines.split('\n')[0] ?? '')).not.toThrow();
  });
});
