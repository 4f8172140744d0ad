import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChannelKind, ChannelLimit, MAX_CHANNELS } from './channel-limit.ts';

const never = new AbortController().signal;
const KINDS = ['exec', 'session', 'tunnel'] as const;

async function isGranted(taking: Promise<unknown>): Promise<boolean> {
  return await Promise.race([
    taking.then(() => true),
    new Promise<boolean>((done) => setImmediate(done, false)),
  ]);
}

describe('the channels of a connection', () => {
  it('never leaves commands without one, whatever stays open', async () => {
    const limit = new ChannelLimit('a');
    const lasting = Array.from({ length: 10 }, () => [
      limit.take('session', never),
      limit.take('tunnel', never),
    ]);
    await Promise.all([isGranted(Promise.all(lasting.flat()))]);
    expect(limit.open).toBe(MAX_CHANNELS - 1);
    expect(await isGranted(limit.take('exec', never))).toBe(true);
    expect(await isGranted(limit.take('exec', never))).toBe(false);
  });

  it('never lets commands take what tunnels and sessions need', async () => {
    const limit = new ChannelLimit('a');
    for (let at = 0; at < 20; at += 1) void limit.take('exec', never);
    expect(await isGranted(limit.take('session', never))).toBe(true);
    expect(await isGranted(limit.take('tunnel', never))).toBe(true);
  });

  it('gives a returned channel to the next of those who can use it', async () => {
    const limit = new ChannelLimit('a');
    const first = await limit.take('session', never);
    const second = await limit.take('session', never);
    const third = limit.take('session', never);
    expect(await isGranted(third)).toBe(false);
    expect(await isGranted(limit.take('exec', never))).toBe(true);
    first();
    first(); // twice is once
    expect(await isGranted(third)).toBe(true);
    expect(await isGranted(limit.take('session', never))).toBe(false);
    second();
  });

  it('lets go of who gives up, with their reason', async () => {
    const limit = new ChannelLimit('a');
    const held = await Promise.all([limit.take('session', never), limit.take('session', never)]);
    const impatient = new AbortController();
    const waiting = limit.take('session', impatient.signal);
    const patient = limit.take('session', never);
    impatient.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    held[0]();
    expect(await isGranted(patient)).toBe(true);
  });

  it('turns away who comes when too many wait', async () => {
    const limit = new ChannelLimit('a');
    const takes = Array.from({ length: 2 + 1_024 }, () => limit.take('session', never));
    await expect(limit.take('session', never)).rejects.toMatchObject({ code: 'HOST_BUSY' });
    expect(takes).toHaveLength(1_026);
  });

  it('keeps every share in every order, and serves all in the end', async () => {
    const step = fc.oneof(fc.constantFrom<ChannelKind>(...KINDS), fc.nat(40));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const limit = new ChannelLimit('a');
        const held: (() => void)[] = [];
        const takes: Promise<void>[] = [];
        for (const next of steps) {
          if (typeof next === 'string') {
            takes.push(limit.take(next, never).then((giveBack) => void held.push(giveBack)));
          } else if (held.length > 0) held.splice(next % held.length, 1)[0]?.();
          await new Promise(setImmediate);
          expect(limit.open).toBeLessThanOrEqual(MAX_CHANNELS);
        }
        while (held.length > 0) {
          held.pop()?.();
          await new Promise(setImmediate);
        }
        await Promise.all(takes);
        expect(limit.open).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
