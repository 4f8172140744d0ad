/**
 * How faults reach hosts. The fault controller speaks in node names; a driver knows how its hosts are reached: over SSH
 * to the fault program of each (`runner/faults`), or through the link agent of a local mesh. Every call has a deadline
 * and throws `FaultError` when the host cannot be reached: that is never a node's failure.
 */

export type ProcessRole = 'node' | 'runner';

/** One part of a fault, on one host. It ends by itself `ttlMs` after the last renewal, whoever has died. */
export type LeaseSpec =
  /** Packets that arrive at `at` from `peers` are dropped: all of them, or only those of more bytes than given. */
  | {
      readonly kind: 'cut';
      readonly at: string;
      readonly peers: readonly string[];
      readonly largerThanBytes: number | null;
      /** `live`: only packets of connections made before, as when a NAT forgot them. A host may not be able to tell. */
      readonly flows?: 'all' | 'live';
    }
  /** Packets that leave `at` for `peers` are delayed, lost or limited. */
  | {
      readonly kind: 'shape';
      readonly at: string;
      readonly peers: readonly string[];
      readonly delayMs: number;
      /** Standard deviation of a normal distribution. */
      readonly jitterMs: number;
      readonly lossRatio: number;
      readonly rateKbit: number | null;
    }
  /** The process is stopped by SIGSTOP, or ended and kept from starting, until the lease ends. */
  | { readonly kind: 'pause' | 'stop'; readonly at: string; readonly role: ProcessRole };

export interface Lease {
  /** Unique in the run; the host keeps it with the run's id. */
  readonly id: string;
  readonly spec: LeaseSpec;
  readonly ttlMs: number;
}

/** A kind of fault that a host can carry: null, or why it cannot. */
export type Capabilities = Readonly<Record<LeaseSpec['kind'] | 'restart', string | null>> & {
  /** Cuts of live flows only; where nothing is said, it cannot. */
  readonly liveCut?: string | null;
};

/** What stands on a host, of any run: found by an independent look, not by memory. */
export interface StandingFault {
  readonly at: string;
  readonly leaseId: string | null;
  readonly runId: string | null;
  readonly what: string;
}

/** Control probes of one edge beside the nodes. */
export interface EdgeProbe {
  readonly sent: number;
  readonly answered: number;
  readonly rttMs: number | null;
}

export interface ProcessState {
  readonly state: 'running' | 'paused' | 'stopped' | 'gone';
  readonly pid: number | null;
}

export interface FaultDriver {
  /** What the host of `node` can carry. */
  capabilities(node: string, signal: AbortSignal): Promise<Capabilities>;
  /** Idempotent: the same lease applied twice stands once. Resolves when the kernel (or the agent) has taken it. */
  apply(lease: Lease, signal: AbortSignal): Promise<void>;
  /** Renews leases of one host; gives the ids that no longer stood there and were not renewed. */
  renew(node: string, ids: readonly string[], ttlMs: number, signal: AbortSignal): Promise<readonly string[]>;
  /** Ends leases of one host, known to it or not. */
  revert(node: string, ids: readonly string[], signal: AbortSignal): Promise<void>;
  standing(node: string, signal: AbortSignal): Promise<readonly StandingFault[]>;
  /** Packets that met the lease's rule so far; null where nothing counts them. */
  matchedPackets(node: string, id: string, signal: AbortSignal): Promise<number | null>;
  /** Probes from one node's host to another's, on the path that the nodes' traffic takes. */
  probe(from: string, to: string, count: number, signal: AbortSignal): Promise<EdgeProbe>;
  processState(node: string, role: ProcessRole, signal: AbortSignal): Promise<ProcessState>;
  /** Restarts the process and resolves when it is told to start again. */
  restart(node: string, role: ProcessRole, signal: AbortSignal): Promise<void>;
  /** Ends what it holds open. Leases still standing are reverted first. */
  close(): Promise<void>;
}
