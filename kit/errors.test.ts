import { expect, test } from 'vitest';
import { causesOf, codeOf, FaultError, MeshproofError, messageOf, UsageError } from './errors.ts';

test('an error becomes JSON evidence: code, message, details', () => {
  const error = new UsageError('BAD_FLAG', 'no such flag', {
    details: { flag: '--x' },
    cause: new Error('why'),
  });
  expect(JSON.parse(JSON.stringify(error))).toEqual({
    code: 'BAD_FLAG',
    message: 'no such flag',
    details: { flag: '--x' },
  });
  expect(error.name).toBe('UsageError');
  expect(error).toBeInstanceOf(MeshproofError);
  expect(error.cause).toMatchObject({ message: 'why' });
});

test('any thrown value has a code and a message', () => {
  expect(codeOf(new FaultError('BROKEN', 'x'))).toBe('BROKEN');
  expect(codeOf(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))).toBe('ECONNREFUSED');
  expect([codeOf(new Error('x')), codeOf('x'), codeOf(undefined)]).toEqual(['UNKNOWN', 'UNKNOWN', 'UNKNOWN']);
  expect([messageOf(new Error('x')), messageOf('y'), messageOf(null)]).toEqual(['x', 'y', 'null']);
});

test('the chain of causes is told outermost first, and a circle ends', () => {
  const inner = Object.assign(new Error('no route'), { code: 'EHOSTUNREACH' });
  expect(causesOf(new FaultError('DIAL', 'cannot dial', { cause: inner }))).toEqual([
    'DIAL: cannot dial',
    'EHOSTUNREACH: no route',
  ]);
  inner.cause = inner;
  expect(causesOf(inner).length).toBe(16);
});
