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

/**
 * Links that one side holds eager and the other lazy in a tree of `topic`, as `[eager side, lazy side]`. The shared tree
 * counts only while no origin has one of its own: otherwise it carries single messages, and its sides learn of each
 * other by the next.
 */
export function asymmetricLinks(mesh: VirtualMesh, topic: string): [string, string][] {
  const pairs: [string, string][] = [];
  for (const { name, core } of mesh.peers) {
    const links = core.topics.get(topic);
    if (!links) continue;
    for (const tree of links.originTreeCount > 0 ? links.originTrees() : [links.shared]) {
      const { origin } = tree.name;
      for (const [other, { role }] of tree.roles()) {
        const far = mesh.peers.find((peer) => peer.name === other)?.core.topics.get(topic);
        const theirs = origin === undefined ? far?.shared : far?.treeOf(origin);
        if (role === 'eager' && theirs?.role(name) === 'lazy') pairs.push([name, other]);
      }
    }
  }
  return pairs;
}
