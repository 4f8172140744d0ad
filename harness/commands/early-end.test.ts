import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../kit/clock.ts';
import type { ProgressEvent } from '../progress/progress.ts';
import { InterruptError } from '../run/interrupt-error.ts';
import { EarlyEnd } from './early-end.ts';

function watched() {
  const events: ProgressEvent[] = [];
  const clock = new VirtualClock();
  return {
    events,
    clock,
    early: new EarlyEnd({ show: (event) => events.push(event), close: () => {} }, clock),
  };
}

describe('what ends a run early', () => {
  it.for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'is %s, once; again only tells that it is ending',
    async (name) => {
      const { early, events, clock } = watched();
      using _ = early;
      process.emit(name, name);
      expect(early.signal.reason).toBeInstanceOf(InterruptError);
      process.emit(name, name);
      expect(events).toEqual([]); // an echo of the same Ctrl-C
      await clock.advance(1_000);
      process.emit(name, name);
      expect(events).toEqual([{ event: 'still_stopping', signal: name }]);
    },
  );

  it('listens no longer than the run', () => {
    const before = process.listenerCount('SIGINT');
    const { early } = watched();
    early[Symbol.dispose]();
    expect(process.listenerCount('SIGINT')).toBe(before);
  });

  it('is an error that nobody caught, which is thrown in the end, whether or not it was what ended it', () => {
    const defect = new TypeError('x is not a function');
    const break_ = () => process.listeners('uncaughtException').at(-1)?.(defect, 'uncaughtException');
    {
      const { early } = watched();
      using _ = early;
      early.throwIfDefective();
      break_();
      expect(early.signal.reason).toBe(defect);
      expect(() => early.throwIfDefective()).toThrow(defect); // nobody may have looked at the signal any more
    }
    const { early } = watched();
    using _ = early;
    early.end('SIGINT');
    break_();
    expect(() => early.throwIfDefective()).toThrow(defect);
  });
});
