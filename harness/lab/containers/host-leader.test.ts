import { describe, expect, it } from 'vitest';
import { isLeader } from './host-leader.ts';

const status = (pids: string, state = 'S (sleeping)') =>
  `Name:\tsystemd\nState:\t${state}\nNSpid:\t${pids}\n`;

describe('the first process of a host', () => {
  it('is process 1 of the namespace right below this machine', () => {
    expect(isLeader(status('4711\t1'))).toBe(true);
    expect(isLeader(status('4711\t12'))).toBe(false);
  });

  it('is neither process 1 of this machine nor one of a container in the host', () => {
    expect(isLeader(status('1'))).toBe(false);
    expect(isLeader(status('4711\t12\t1'))).toBe(false);
  });

  it('is none that has ended', () => {
    expect(isLeader(status('4711\t1', 'Z (zombie)'))).toBe(false);
  });
});
