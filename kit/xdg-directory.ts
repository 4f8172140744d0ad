import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

const DEFAULTS = { XDG_CACHE_HOME: '.cache', XDG_CONFIG_HOME: '.config' } as const;

/** A directory of the user's after the XDG specification: an unset, empty or relative value counts as none. */
export function xdgDirectory(name: keyof typeof DEFAULTS, env: NodeJS.ProcessEnv = process.env): string {
  const given = env[name] ?? '';
  return isAbsolute(given) ? given : join(homedir(), DEFAULTS[name]);
}
