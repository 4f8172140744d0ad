import { expect, it } from 'vitest';
import { TopicShares } from './topic-shares.ts';

it('a topic that floods crowds out its own oldest, not what others have had for longer', () => {
  const shares = new TopicShares<{ readonly topic: string }>();
  shares.add('q1', { topic: 'quiet' });
  for (const id of ['f1', 'f2', 'f3']) shares.add(id, { topic: 'flood' });
  expect(shares.oldestOfLargest()).toBe('f1');
  for (const id of ['f1', 'f2', 'f3']) shares.delete(id);
  expect(shares.oldestOfLargest()).toBe('q1');
  shares.delete('q1');
  expect(shares.oldestOfLargest()).toBeUndefined();
  expect(shares.size).toBe(0);
});
