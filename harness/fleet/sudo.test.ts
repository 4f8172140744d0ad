import { expect, test } from 'vitest';
import { sudoProblem } from './sudo.ts';

test.each([
  [1, 'sudo: a password is required\n'],
  [1, 'mesh is not in the sudoers file.  This incident will be reported.\n'],
  [1, 'sudo: unable to resolve host x: Name or service not known\nsudo: a password is required\n'],
  [1, "Sorry, user mesh is not allowed to execute '/bin/sh' as root on x.\n"],
  [127, 'env: ‘sudo’: No such file or directory\n'],
])('code %i with %j is a refusal of sudo', (code, stderr) => {
  expect(sudoProblem(code, stderr)).not.toBeNull();
});

test.each([
  [0, ''],
  [1, 'grep: x: No such file or directory\n'],
  [1, 'sudo: unable to resolve host x: Name or service not known\n'],
  [2, 'sudo: a password is required\n'],
])('code %i with %j comes from the command', (code, stderr) => {
  expect(sudoProblem(code, stderr)).toBeNull();
});
