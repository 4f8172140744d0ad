import { PassThrough, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { JsonProgress } from './json-progress.ts';

describe('progress for a reader that stopped reading', () => {
  it('waits in bounded memory, drops whole lines, and tells how many', () => {
    const written: string[] = [];
    const stalled = new Writable({
      highWaterMark: 1,
      write: (chunk, _encoding, _done) => {
        written.push(String(chunk)); // and never asks for the next
      },
    });
    const progress = new JsonProgress(stalled);
    const reasons = ['x'.repeat(100_000)];
    for (let n = 0; n < 300; n += 1) {
      progress.show({ event: 'window_judged', window: 1, windows: 1, verdict: 'NO-GO', reasons, took_ms: 1 });
    }
    expect(stalled.writableLength).toBeLessThan(8.2 * 1024 * 1024);
    const waitingBytes = stalled.writableLength;
    progress.close();
    expect(stalled.writableLength).toBeGreaterThan(waitingBytes);
    expect(written).toHaveLength(1);
  });

  it('tells the number that was dropped once there is room again', () => {
    const out = new PassThrough({ highWaterMark: 32 * 1024 * 1024 });
    const progress = new JsonProgress(out);
    out.cork();
    const reasons = ['x'.repeat(1_000_000)];
    for (let n = 0; n < 20; n += 1) {
      progress.show({ event: 'window_judged', window: 1, windows: 1, verdict: 'NO-GO', reasons, took_ms: 1 });
    }
    progress.close();
    out.uncork();
    const lines = String(out.read()).trim().split('\n');
    const last = JSON.parse(lines.at(-1) ?? '');
    expect(last).toEqual({ event: 'dropped', events: 20 - (lines.length - 1) });
    expect(last.events).toBeGreaterThan(5);
  });
});
