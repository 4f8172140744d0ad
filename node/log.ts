import { destination, type Logger, pino } from 'pino';
import type { NodeConfig } from './config.ts';

const ID = /^[0-9a-f]{64}$/;
const SHOWN_ID_CHARS = 16; // as long as the short ids in diagnostics, so that both can be matched

/** JSON lines on stderr, ids shortened. */
export function createLog({ logLevel, instanceName }: Pick<NodeConfig, 'logLevel' | 'instanceName'>): Logger {
  const stderr = destination({ fd: 2, sync: true });
  stderr.on('error', () => {}); // whoever read the log is gone; that must not end the node
  return pino(
    {
      level: logLevel,
      base: instanceName === null ? { pid: process.pid } : { pid: process.pid, instance: instanceName },
      formatters: { log: shortenIds },
    },
    stderr,
  );
}

/** Shortens every top-level value that is an id. */
export function shortenIds(fields: Record<string, unknown>): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    shown[name] = typeof value === 'string' && ID.test(value) ? value.slice(0, SHOWN_ID_CHARS) : value;
  }
  return shown;
}
