import type { PeerId } from '../transport/transport.ts';
import type { ControlFrame } from './control-frame.ts';
import type { HeldMessage } from './message-cache.ts';
import type { TreeName } from './tree-links.ts';

/** What the driver is to do. `push` sends one frame to all of `peers`; `reply` gives a cached message to one. */
export type GossipEffect =
  | { readonly type: 'push'; readonly message: HeldMessage; readonly peers: readonly PeerId[] }
  | { readonly type: 'reply'; readonly message: HeldMessage; readonly peer: PeerId }
  | { readonly type: 'control'; readonly peer: PeerId; readonly frame: ControlFrame };

export const NOTHING: readonly GossipEffect[] = [];

export function graft(peer: PeerId, { topic, origin }: TreeName): GossipEffect {
  return { type: 'control', peer, frame: { kind: 'graft', topic, origin } };
}

export function prune(peer: PeerId, { topic, origin }: TreeName): GossipEffect {
  return { type: 'control', peer, frame: { kind: 'prune', topic, origin } };
}

export function toOne(peer: PeerId, frames: readonly ControlFrame[]): readonly GossipEffect[] {
  return frames.map((frame) => ({ type: 'control', peer, frame }));
}

/** One IWANT per peer. At most 128 asks per peer are outstanding, so the bound of a frame cannot be passed. */
export function iwantFrames(asks: readonly { readonly peer: PeerId; readonly id: string }[]): GossipEffect[] {
  const byPeer = new Map<PeerId, string[]>();
  for (const { peer, id } of asks) {
    const ids = byPeer.get(peer);
    if (ids) ids.push(id);
    else byPeer.set(peer, [id]);
  }
  return [...byPeer].map(([peer, ids]) => ({ type: 'control', peer, frame: { kind: 'iwant', ids } }));
}
