import type { HttpTunnel } from '../../kit/http-pool.ts';
import type { NodeClient } from '../../node/client.ts';
import type { EvidenceRecord } from '../../proofs/evidence.ts';
import type { Observation } from '../../proofs/observation.ts';
import type { Outsiders } from '../../scenarios/outsiders.ts';
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

/**
 * The way to a machine was lost or is there again: the control plane's affair, which says nothing about the node. It was
 * last known to stand at `sinceMs`, and to stand again at `atMs`, both by the clock that reads the samples.
 */
export type ControlChange =
  | {
      readonly node: string;
      readonly state: 'lost';
      readonly code: string;
      readonly why: string;
      readonly sinceMs: number;
    }
  | { readonly node: string; readonly state: 'regained'; readonly afterMs: number; readonly atMs: number };

/** Where hostile programs from outside the roster may run. They end with `signal`, and with the fleet. */
export interface OutsiderPlace {
  join(request: Parameters<Outsiders['join']>[0], signal: AbortSignal): ReturnType<Outsiders['join']>;
}

/** How nodes get another bundle at their next start. */
export interface UpgradePlace {
  stage(node: string): Promise<{ readonly bundleSha256: string }>;
}

/** The machines of a run. `stop` takes everything down that this run started, nothing else, and may be called again. */
export interface Fleet {
  readonly hosts: readonly MeshHost[];
  readonly anchor: MeshHost;
  /** How faults reach these machines; `stop` closes it. */
  readonly faults: FaultDriver;
  /** Left out where there is no such place. */
  readonly outsiders?: OutsiderPlace;
  /** Left out where nodes have one bundle only. */
  readonly upgrades?: UpgradePlace;
  /**
   * Calls back for each process that ends, those that ended before included. Expected is only what `stop` asked for:
   * an orderly end, or being killed after its grace. A crash while stopping is unexpected.
   */
  onProcessEnd(listener: (end: ProcessEnd, expected: 'expected' | 'unexpected') => void): void;
  /**
   * What the machines show of themselves, beside what their nodes say: before the first window (null), then before
   * each. Left out where they are this one.
   */
  lookAtHosts?(window: number | null, signal: AbortSignal): Promise<readonly EvidenceRecord[]>;
  /** Calls back when the way to a machine is lost, and when it is there again. Left out where there is none to lose. */
  onControlChange?(listener: (change: ControlChange) => void): void;
  /**
   * Looks now whether the way to `nodes` (all when left out) stands, so that a loss is told before something is made of
   * their silence. Never throws but what `signal` aborts with. Left out where there is no way to lose.
   */
  checkWays?(signal: AbortSignal, nodes?: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}
