/** A directed edge of the mesh, by node names. */
export type Edge = readonly [from: string, to: string];

/** A fault as it is asked for: what `Faults` is called with, and what a scenario tells of itself before the run. */
export type FaultRequest =
  | {
      readonly kind: 'cut';
      readonly edges: readonly Edge[];
      readonly largerThanBytes?: number;
      /** Only connections made before: a path that has forgotten them. Not every host can tell them apart. */
      readonly flows?: 'live';
    }
  | {
      readonly kind: 'shape';
      readonly edges: readonly Edge[];
      readonly delayMs?: number;
      readonly jitterMs?: number;
      readonly lossRatio?: number;
      readonly rateKbit?: number;
    }
  | { readonly kind: 'pause' | 'stop'; readonly node: string }
  | { readonly kind: 'restart'; readonly nodes: readonly string[] };

type Details<Kind extends FaultRequest['kind']> = Omit<Extract<FaultRequest, { kind: Kind }>, 'kind'>;

/**
 * A fault in force. The controller renews it meanwhile; it ends by itself when nobody does. `revert` (or leaving an
 * `await using` block) ends it, measures its edges again and proves it gone, all on record.
 */
export interface HeldFault extends AsyncDisposable {
  readonly id: string;
  /** Gives when its hosts let go of it, by the scenario's clock; the measurements after that take a little longer. */
  revert(): Promise<{ readonly endedAtMs: number }>;
}

/**
 * The faults that a scenario may make. Each call checks the safety nets, writes its intent, measures before, applies,
 * and measures whether it bites; none of that is the scenario's business. Throws `FaultError` `FAULT_UNAVAILABLE` where
 * the hosts cannot carry it (the scenario is then inconclusive) and `FAULT_REFUSED` when a safety net forbids it.
 */
export interface Faults {
  /** Drops what travels along the edges: all of it, or only packets of more bytes than given, or of connections made before. */
  cut(request: Details<'cut'>): Promise<HeldFault>;
  /** Delays, loses or limits what travels along the edges. */
  shape(request: Details<'shape'>): Promise<HeldFault>;
  /** The node's process neither runs nor ends. */
  pause(node: string): Promise<HeldFault>;
  /** The node's process is down until reverted. */
  stop(node: string): Promise<HeldFault>;
  /** Restarts the nodes at once, each declared in the evidence before it happens. Gives when each was told to. */
  restart(nodes: readonly string[]): Promise<ReadonlyMap<string, { readonly atMs: number }>>;
}

/** A third of the fleet, and one node of a small one: as many as may be faulted at once. */
export function thirdOf(nodes: readonly unknown[]): number {
  return Math.max(1, Math.floor(nodes.length / 3));
}

/** Both directions of every pair across two sides. */
export function edgesBetween(left: readonly string[], right: readonly string[]): readonly Edge[] {
  return left.flatMap((a) =>
    right.flatMap((b): Edge[] => [
      [a, b],
      [b, a],
    ]),
  );
}

/** From `node` to each of the others. */
export function edgesFrom(node: string, others: readonly string[]): readonly Edge[] {
  return others.filter((other) => other !== node).map((other): Edge => [node, other]);
}
