import { availableParallelism, release, totalmem } from 'node:os';

/** What of this machine matters when a run is read again later. */
export function runEnvironment(): Record<string, string | number> {
  return {
    platform: `${process.platform}-${process.arch}`,
    kernel: release(),
    node_version: process.version,
    cpus: availableParallelism(),
    memory_bytes: totalmem(),
  };
}
