import type { VirtualMesh } from './virtual-mesh.ts';

type Journeys = Iterable<{
  readonly publishedAtMs: number;
  readonly arrivals: ReadonlyMap<number, number>;
  readonly copies: number;
}>;

/**
 * How well messages spread. `rmr` is the relative message redundancy of the PlumTree paper: payload copies ÷ first
 * receipts − 1; 0 is a perfect tree. Latencies are from publish to first receipt, origins left out.
 */
export function measureSpread(journeys: Journeys, peers: number) {
  const latenciesMs: number[] = [];
  let [expected, receipts, copies] = [0, 0, 0];
  for (const { publishedAtMs, arrivals, copies: made } of journeys) {
    expected += peers - 1;
    receipts += arrivals.size - 1;
    copies += made;
    for (const atMs of arrivals.values()) latenciesMs.push(atMs - publishedAtMs);
  }
  latenciesMs.sort((a, b) => a - b);
  return {
    deliveryRatio: receipts / expected,
    rmr: copies / receipts - 1,
    p99Ms: latenciesMs[Math.floor(latenciesMs.length * 0.99)] ?? Number.NaN,
    maxMs: latenciesMs.at(-1) ?? Number.NaN,
  };
}

/** Links that one side holds eager and the other lazy for `topic`, as `[eager side, lazy side]`. */
export function asymmetricLinks(mesh: VirtualMesh, topic: string): [string, string][] {
  const pairs: [string, string][] = [];
  for (const { name, core } of mesh.peers) {
    for (const [other, { role }] of core.topics.get(topic)?.roles() ?? []) {
      const theirs = mesh.peers
        .find((peer) => peer.name === other)
        ?.core.topics.get(topic)
        ?.role(name);
      if (role === 'eager' && theirs === 'lazy') pairs.push([name, other]);
    }
  }
  return pairs;
}
