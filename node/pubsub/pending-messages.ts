import type { AgentId, PeerLink } from '../transport/transport.ts';

const MAX_COPIES = 4;
const MAX_PENDING = 1_024;
const MAX_PENDING_BYTES = 33_554_432;
const KEY_WAIT_MS = 5_000;

/** One copy of a message whose verification is not done. */
export interface Copy {
  readonly link: PeerLink;
  readonly frame: Uint8Array;
}

interface Pending {
  readonly id: string;
  readonly copies: Copy[];
  bytes: number;
  /** Set while the message waits for its origin's public key. */
  keyWantedFor: AgentId | undefined;
  keyWantedAtMs: number;
}

/**
 * Messages between arrival and verification, one entry per id: the first copy is checked, the others wait, and are
 * duplicates if it is good. If it is forged the next one is checked, so that a forgery cannot keep the true one out. When
 * there is no room, the one that waits longest for a key goes: origins are free to make up, and whoever did so would
 * keep everybody else's messages out.
 */
export class PendingMessages {
  readonly #pending = new Map<string, Pending>();
  #bytes = 0;
  dropped = 0;
  keysNotFound = 0;

  get size(): number {
    return this.#pending.size;
  }

  /** Adds a copy: `first` is the caller's to check, `waits` is kept, `refused` had no room. */
  add(id: string, copy: Copy): 'first' | 'waits' | 'refused' {
    const pending = this.#pending.get(id);
    if (pending) {
      const isFull = this.#bytes + copy.frame.length > MAX_PENDING_BYTES;
      if (isFull || pending.copies.length >= MAX_COPIES) return 'refused';
      pending.copies.push(copy);
      pending.bytes += copy.frame.length;
      this.#bytes += copy.frame.length;
      return 'waits';
    }
    while (this.#bytes + copy.frame.length > MAX_PENDING_BYTES || this.#pending.size >= MAX_PENDING) {
      this.dropped += 1;
      if (!this.#dropKeyless()) return 'refused';
    }
    const bytes = copy.frame.length;
    this.#pending.set(id, { id, copies: [copy], bytes, keyWantedFor: undefined, keyWantedAtMs: 0 });
    this.#bytes += bytes;
    return 'first';
  }

  wantsKey(id: string, agentId: AgentId, nowMs: number): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    pending.keyWantedFor = agentId;
    pending.keyWantedAtMs = nowMs;
  }

  keyWanted(id: string): AgentId | undefined {
    return this.#pending.get(id)?.keyWantedFor;
  }

  /** The message is decided; gives the copies that waited behind the first. */
  settle(id: string): readonly Copy[] {
    const pending = this.#pending.get(id);
    if (!pending) return [];
    this.#pending.delete(id);
    this.#bytes -= pending.bytes;
    return pending.copies.slice(1);
  }

  /** The copies that waited for this key, out of the store and to be handled again. */
  takeWaitingFor(agentId: AgentId): readonly Copy[] {
    return this.#takeWhere((pending) => pending.keyWantedFor === agentId).flatMap(({ copies }) => copies);
  }

  /** Gives up on messages whose key nobody gave; their ids. */
  expire(nowMs: number): readonly string[] {
    const expired = this.#takeWhere(
      ({ keyWantedFor, keyWantedAtMs }) => keyWantedFor !== undefined && nowMs - keyWantedAtMs > KEY_WAIT_MS,
    );
    this.keysNotFound += expired.length;
    return expired.map(({ id }) => id);
  }

  clear(): void {
    this.#pending.clear();
    this.#bytes = 0;
  }

  /** Lets go of the message that has waited longest for its key; false when none waits for one. */
  #dropKeyless(): boolean {
    for (const { id, bytes, keyWantedFor } of this.#pending.values()) {
      if (keyWantedFor === undefined) continue;
      this.#pending.delete(id);
      this.#bytes -= bytes;
      return true;
    }
    return false;
  }

  #takeWhere(isTaken: (pending: Pending) => boolean): Pending[] {
    const taken = [...this.#pending.values()].filter(isTaken);
    for (const { id, bytes } of taken) {
      this.#pending.delete(id);
      this.#bytes -= bytes;
    }
    return taken;
  }
}
