import { expect, it } from 'vitest';
import { priorityOf } from './topic-priority.ts';

it.each([
  ['meshproof.discover.v1', 'critical'],
  ['meshproof.control.v1', 'critical'],
  ['x0x.test.control.v1', 'critical'],
  ['x0x/dm/v1/inbox/ab', 'critical'],
  ['x0x/caps/v1/request/targeted-v2', 'critical'],
  ['x0x/caps/v1', 'bulk'],
  ['x0x.directory.tag.7', 'bulk'],
  ['x0x.machine.announce.v2', 'bulk'],
  ['meshproof.fanout.w1.2a', 'normal'],
  ['x0x.group.ab.meta', 'normal'],
  ['anything', 'normal'],
] as const)('takes %s for %s', (topic, priority) => {
  expect(priorityOf(topic)).toBe(priority);
});
