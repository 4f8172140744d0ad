import { expect, it } from 'vitest';
import { isLoopback } from './addresses.ts';

it('an address is loopback only when it is written as one, also as a dual-stack socket sees it', () => {
  const loopback = ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'];
  const others = ['localhost', '127.evil.example', '0.0.0.0', '::', '::2', '::ffff:10.0.0.1', '10.0.0.1', ''];
  expect(loopback.filter((host) => !isLoopback(host))).toEqual([]);
  expect(others.filter(isLoopback)).toEqual([]);
});
