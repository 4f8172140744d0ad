import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { xdgDirectory } from './xdg-directory.ts';

test('an absolute directory is taken as it is', () => {
  expect(xdgDirectory('XDG_CONFIG_HOME', { XDG_CONFIG_HOME: '/srv/config' })).toBe('/srv/config');
});

test.each([undefined, '', 'relative/dir'])(
  'of %j nothing comes: a key must not land in the working directory',
  (given) => {
    const env = given === undefined ? {} : { XDG_CONFIG_HOME: given, XDG_CACHE_HOME: given };
    expect(xdgDirectory('XDG_CONFIG_HOME', env)).toBe(join(homedir(), '.config'));
    expect(xdgDirectory('XDG_CACHE_HOME', env)).toBe(join(homedir(), '.cache'));
  },
);
