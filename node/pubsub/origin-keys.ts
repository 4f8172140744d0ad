import { BoundedMap } from '../../kit/bounded.ts';
import type { AgentId, PeerId } from '../transport/transport.ts';
import { agentIdOf } from './message.ts';

const MAX_LEARNT_KEYS = 4_096; // 2 KiB each
const MAX_WANTED = 256;
const WANT_KEPT_MS = 5_000;

interface Want {
  readonly sinceMs: number;
  readonly asked: Set<PeerId>;
}

/**
 * The public keys of message origins: those of live links, proven in the hello, and those learnt from the peer that
 * forwarded a message (it verified the message, so it has the key). A key is its own proof: its hash is the agent id.
 */
export class OriginKeys {
  readonly #linked = new Map<AgentId, Uint8Array>();
  readonly #learnt = new BoundedMap<AgentId, Uint8Array>({ max: MAX_LEARNT_KEYS });
  readonly #wanted = new BoundedMap<AgentId, Want>({ max: MAX_WANTED });

  /** Keys of agents without a link. */
  get learnt(): number {
    return this.#learnt.size;
  }

  get(agentId: AgentId): Uint8Array | undefined {
    return this.#linked.get(agentId) ?? this.#learnt.get(agentId);
  }

  link(agentId: AgentId, publicKey: Uint8Array): void {
    this.#linked.set(agentId, publicKey);
  }

  /** The link is gone; its key moves to the bounded store, since messages of its agent still travel. */
  unlink(agentId: AgentId): void {
    const key = this.#linked.get(agentId);
    if (!key) return;
    this.#linked.delete(agentId);
    this.#learnt.set(agentId, key);
  }

  /** Notes that `agentId`'s key is wanted; true when `peer` is to be asked for it. */
  want(agentId: AgentId, peer: PeerId, nowMs: number): boolean {
    let want = this.#wanted.get(agentId);
    if (!want || nowMs - want.sinceMs > WANT_KEPT_MS) {
      want = { sinceMs: nowMs, asked: new Set() };
      this.#wanted.set(agentId, want);
    }
    if (want.asked.has(peer)) return false;
    want.asked.add(peer);
    return true;
  }

  /** Takes a key that someone sent: the agent whose wanted key it is, or `undefined` when nobody asked. */
  learn(publicKey: Uint8Array): AgentId | undefined {
    const agentId = agentIdOf(publicKey);
    if (!this.#wanted.has(agentId)) return undefined;
    this.#wanted.delete(agentId);
    this.#learnt.set(agentId, new Uint8Array(publicKey));
    return agentId;
  }
}
