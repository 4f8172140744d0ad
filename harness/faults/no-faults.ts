import { FaultError } from '../../kit/errors.ts';
import type { FaultDriver } from './fault-driver.ts';

/** The driver of a fleet that cannot carry faults: nothing stands there, and `why` is what every kind of fault lacks. */
export function noFaults(why: string): FaultDriver {
  const refuse = () => Promise.reject(new FaultError('FAULT_UNAVAILABLE', why));
  return {
    capabilities: async () => ({ cut: why, shape: why, pause: why, stop: why, restart: why }),
    apply: refuse,
    renew: async (_node, ids) => ids,
    revert: async () => {},
    standing: async () => [],
    matchedPackets: async () => null,
    probe: refuse,
    processState: refuse,
    restart: refuse,
    close: async () => {},
  };
}
