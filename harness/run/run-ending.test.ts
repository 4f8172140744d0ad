import { expect, it } from 'vitest';
import { FaultError } from '../../kit/errors.ts';
import { InterruptError } from './interrupt-error.ts';
import { endingsOf } from './run-ending.ts';

it('every error of a run is told, however clean-ups are nested in each other, the reason first', async () => {
  const [reason, first, second, third] = [
    new InterruptError('SIGINT'),
    ...['ONE', 'TWO', 'THREE'].map((code) => new FaultError(code, code)),
  ];
  const nested = new SuppressedError(new SuppressedError(third, second), new SuppressedError(first, reason));
  expect(await endingsOf(() => Promise.reject(nested))).toEqual([reason, first, second, third]);
});
