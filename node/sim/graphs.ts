import type { Random } from '../../kit/random.ts';

/** An undirected graph over peers 0..n-1, as pairs of lower and higher index. */
export type Graph = readonly (readonly [number, number])[];

export function fullMesh(peers: number): Graph {
  const edges: [number, number][] = [];
  for (let a = 0; a < peers; a += 1) for (let b = a + 1; b < peers; b += 1) edges.push([a, b]);
  return edges;
}

/** A connected random graph: a ring in random order, then random chords up to a mean of `degree` links per peer. */
export function randomGraph(peers: number, degree: number, random: Random): Graph {
  const order = random.shuffle(Array.from({ length: peers }, (_, at) => at));
  const edges = new Map<string, readonly [number, number]>();
  const add = (a: number, b: number) => {
    if (a !== b) edges.set(a < b ? `${a} ${b}` : `${b} ${a}`, a < b ? [a, b] : [b, a]);
  };
  for (const [at, peer] of order.entries()) add(peer, order[(at + 1) % peers] ?? peer);
  while (edges.size < (peers * degree) / 2) add(random.int(0, peers - 1), random.int(0, peers - 1));
  return [...edges.values()];
}
