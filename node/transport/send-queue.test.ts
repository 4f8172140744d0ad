import { expect, test } from 'vitest';
import { codeOf } from '../../kit/errors.ts';
import { SendQueue } from './send-queue.ts';

function queueOf(capacityBytes: number) {
  const seen = { highWater: 0 };
  const queue = new SendQueue(capacityBytes, () => {
    seen.highWater += 1;
  });
  const refusal = (trafficClass: 'control' | 'gossip', bytes: number) => {
    try {
      queue.reserve(trafficClass, bytes);
      return undefined;
    } catch (error) {
      return codeOf(error);
    }
  };
  return { queue, seen, refusal };
}

test('high water is counted once per rise, whatever filled and emptied the queue', () => {
  const { queue, seen } = queueOf(100);
  queue.reserve('gossip', 79);
  expect(seen.highWater).toBe(0);
  queue.add(1); // a reply
  queue.reserve('direct', 20);
  expect(seen.highWater).toBe(1);
  queue.release(30);
  queue.add(30);
  expect(seen.highWater).toBe(2);
});

test('a full queue refuses everything but control, and a refusal takes no room', () => {
  const { queue, refusal } = queueOf(100);
  queue.reserve('bulk', 100);
  expect(refusal('gossip', 1)).toBe('SEND_QUEUE_FULL');
  expect(refusal('control', 1)).toBeUndefined();
  expect(queue.bytes).toBe(101);
});
