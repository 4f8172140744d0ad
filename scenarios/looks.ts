import { isSeen, missing, type Observation, seen } from '../proofs/observation.ts';
import type { NodeLook } from './mesh-access.ts';
import type { ScenarioContext } from './scenario.ts';

export type Looks = ReadonlyMap<string, Observation<NodeLook>>;

export async function lookAtAll({ fleet, mesh }: Pick<ScenarioContext, 'fleet' | 'mesh'>): Promise<Looks> {
  return new Map(await Promise.all(fleet.nodes.map(async (node) => [node, await mesh.look(node)] as const)));
}

/** Two looks at the same process of `node`; missing when one of them failed or it restarted in between. */
export function sameProcess(
  node: string,
  before: Looks,
  after: Looks,
): Observation<{ readonly was: NodeLook; readonly is: NodeLook }> {
  const [was, is] = [before.get(node), after.get(node)];
  if (was === undefined || is === undefined) return missing('absent', `${node} was not looked at`);
  if (!isSeen(was)) return was;
  if (!isSeen(is)) return is;
  if (was.seen.epoch.boot_id !== is.seen.epoch.boot_id) return missing('absent', `${node} restarted`);
  return seen({ was: was.seen, is: is.seen });
}

/** Generation of each live link by the machine id of its peer; null where the node does not tell it. */
export function liveLinks({ connectivity }: NodeLook): ReadonlyMap<string, number | null> {
  const live = connectivity.per_peer_transport.filter(({ connected }) => connected);
  return new Map(live.map(({ peer_id: id, generation }) => [id, generation]));
}

/** Machine ids of the peers whose link is gone or another one. */
export function changedLinks({ was, is }: { readonly was: NodeLook; readonly is: NodeLook }): string[] {
  const now = liveLinks(is);
  return [...liveLinks(was)].flatMap(([peer, generation]) => (now.get(peer) === generation ? [] : [peer]));
}
