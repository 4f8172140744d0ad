import { BoundedMap } from '../../kit/bounded.ts';
import type { AgentId, LinkEvent, PeerId, PeerLink, Transport } from '../transport/transport.ts';

type Links = Pick<Transport, 'links' | 'linkTo' | 'onLink'>;

/**
 * Follows the links of the transport for senders: which peer an agent was last seen on, and a call for each change of a
 * peer's canonical link. One subscription serves all senders; a sender subscribes here before it transmits, so that no
 * replacement goes unnoticed.
 */
export class LinkWatch {
  readonly #transport: Links;
  readonly #peerOfAgent = new BoundedMap<AgentId, PeerId>({ max: 4_096 });
  readonly #listeners = new Map<AgentId, Set<() => void>>();
  readonly #unsubscribe: () => void;

  constructor(transport: Links) {
    this.#transport = transport;
    this.#unsubscribe = transport.onLink((event) => this.#linkChanged(event));
    for (const link of transport.links()) this.#peerOfAgent.set(link.agentId, link.peerId);
  }

  close(): void {
    this.#unsubscribe();
    this.#listeners.clear();
  }

  /** The peer on which `agentId` was last proven; undefined for an agent never seen. */
  peerOf(agentId: AgentId): PeerId | undefined {
    return (
      this.#peerOfAgent.get(agentId) ??
      this.#transport.links().find((link) => link.agentId === agentId)?.peerId
    );
  }

  /** The live link to `agentId`, if there is one. */
  linkTo(agentId: AgentId): PeerLink | undefined {
    const peerId = this.peerOf(agentId);
    const link = peerId === undefined ? undefined : this.#transport.linkTo(peerId);
    return link?.agentId === agentId ? link : undefined;
  }

  /** Calls back after every lifecycle event of a link to `agentId`; gives a function that stops it. */
  onChange(agentId: AgentId, listener: () => void): () => void {
    const listeners = this.#listeners.get(agentId) ?? new Set();
    this.#listeners.set(agentId, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(agentId) === listeners) this.#listeners.delete(agentId);
    };
  }

  #linkChanged({ event, link }: LinkEvent): void {
    if (event === 'Established' || event === 'Replaced') {
      const live = this.#transport.linkTo(link.peerId) ?? link;
      this.#peerOfAgent.set(live.agentId, live.peerId);
    }
    for (const listener of this.#listeners.get(link.agentId) ?? []) listener();
  }
}
