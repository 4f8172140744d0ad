import type { HttpTunnel } from '../../kit/http-pool.ts';
import type { NodeClient } from '../../node/client.ts';
import type { Observation } from '../../proofs/observation.ts';
import type { FaultDriver } from '../faults/fault-driver.ts';

/** Where a program with a loopback HTTP endpoint is reached, and the bearer token it asks for. */
export interface Endpoint {
  readonly baseUrl: string;
  readonly token: string;
  /** The way there when it is not TCP from here. */
  readonly tunnel?: HttpTunnel | undefined;
}

/** One node of the mesh with its runner, reached the same way wherever it runs. */
export interface MeshHost {
  readonly name: string;
  readonly region: string | null;
  readonly node: NodeClient;
  /** The API behind `node`. */
  readonly api: Endpoint;
  readonly runner: Endpoint;
  /** `host:port` that the node's QUIC socket should be bound to. */
  readonly udpAddress: string;
  /** Whether the node's own process holds that UDP port; absent where the platform cannot tell. */
  udpPortBound(): Promise<Observation<boolean>>;
}

/** A process of the mesh ended. */
export interface ProcessEnd {
  readonly node: string;
  readonly role: 'node' | 'runner';
  readonly code: number | null;
  readonly signal: string | null;
  readonly lastWords: readonly string[];
}

/** The machines of a run. `stop` takes everything down that this run started and may be called more than once. */
export interface Fleet {
  readonly hosts: readonly MeshHost[];
  readonly anchor: MeshHost;
  /** How faults reach these machines; `stop` closes it. */
  readonly faults: FaultDriver;
  /**
   * Calls back for each process that ends, those that ended before included. Expected is only what `stop` asked for:
   * an orderly end, or being killed after its grace. A crash while stopping is unexpected.
   */
  onProcessEnd(listener: (end: ProcessEnd, expected: 'expected' | 'unexpected') => void): void;
  stop(): Promise<void>;
}
