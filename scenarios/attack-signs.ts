import type { NodeInside } from './mesh-access.ts';
import type { OutsiderKind } from './outsiders.ts';

type Counters = Readonly<Record<string, (inside: NodeInside, members: ReadonlySet<string>) => number>>;

/** The node's own counters that each kind of outsider moves. They count the mesh's own traffic too only where it says so. */
const SIGNS: Readonly<Record<OutsiderKind, Counters>> = {
  garbage: { malformed_frames_total: ({ transport }) => transport.refusals.malformed_frames_total },
  forger: {
    incoming_decode_failed: ({ gossip }) => gossip.stats.incoming_decode_failed,
    PEER_BANNED: ({ transport }) => transport.refusals.hello_refusals_by_reason.PEER_BANNED ?? 0,
  },
  flooder: {
    frames_of_strangers: ({ gossip }, members) =>
      Object.entries(gossip.recv_pump.per_peer)
        .filter(([peer]) => !isMember(peer, members))
        .reduce((sum, [, { pubsub_produced }]) => sum + pubsub_produced, 0),
  },
  silent: {
    link_proofs_unanswered: ({ transport }) => transport.link_proofs.unanswered_total,
    send_timeouts_to_strangers: ({ gossip }, members) =>
      gossip.pubsub_stages.peer_scores
        .filter(({ peer_id }) => !isMember(peer_id, members))
        .reduce((sum, { outbound_send_timeouts }) => sum + outbound_send_timeouts, 0),
    strangers_suppressed: ({ gossip }, members) =>
      gossip.pubsub_stages.suppressed_peers.filter(({ peer_id }) => !isMember(peer_id, members)).length,
  },
  stranger: {
    WRONG_NETWORK: ({ transport }) => transport.refusals.hello_refusals_by_reason.WRONG_NETWORK ?? 0,
  },
};

/** By how much each counter that tells of that kind of outsider grew between two looks at one process. Pure. */
export function attackSigns(
  kind: OutsiderKind,
  before: NodeInside,
  after: NodeInside,
  members: ReadonlySet<string>,
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(SIGNS[kind]).map(([name, read]) => [
      name,
      Math.max(0, read(after, members) - read(before, members)),
    ]),
  );
}

/** Machine ids of peers that the node has a link to and that are no members of the mesh. */
export function strangersLinked({ transport }: NodeInside, members: ReadonlySet<string>): readonly string[] {
  return transport.peer_entries.map(({ peer_id }) => peer_id).filter((peer) => !isMember(peer, members));
}

/** Documents may shorten ids. */
export function isMember(peer: string, members: ReadonlySet<string>): boolean {
  return members.has(peer) || [...members].some((member) => member.startsWith(peer));
}
