import { isSeen } from '../proofs/observation.ts';
import type { ScenarioContext } from './scenario.ts';

/** Nodes whose log of `topic` is not what most of the others hold, or too short, each with what it shows. */
export async function unequalNodes(
  { mesh, fleet }: Pick<ScenarioContext, 'mesh' | 'fleet'>,
  { topic, entries }: { readonly topic: string; readonly entries: number },
): Promise<readonly string[]> {
  const heads = await Promise.all(
    fleet.nodes.map(async (node) => ({ node, head: await mesh.logHead(node, topic) })),
  );
  const byHash = Map.groupBy(heads, ({ head }) => (isSeen(head) ? head.seen.headHash : ''));
  byHash.delete('');
  const agreed = [...byHash.values()].toSorted((a, b) => b.length - a.length)[0] ?? [];
  return heads.flatMap(({ node, head }) => {
    if (!isSeen(head)) return [`${node}: ${head.why}`];
    if (head.seen.height < entries) return [`${node} holds ${head.seen.height} of ${entries} entries`];
    return agreed.some((other) => other.node === node) ? [] : [`${node} holds other entries than most`];
  });
}
