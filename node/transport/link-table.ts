import { BoundedMap } from '../../kit/bounded.ts';
import type { PeerSession } from './peer-session.ts';
import { type Contender, chooseConnection, type Incumbent } from './supersede.ts';
import type { PeerId, PeerLink } from './transport.ts';

const MAX_REMEMBERED_GENERATIONS = 4_096;

interface Entry {
  readonly session: PeerSession;
  readonly contender: Contender;
  readonly link: PeerLink;
}

export type Admission =
  | { readonly kind: 'first'; readonly link: PeerLink }
  | { readonly kind: 'replaced'; readonly link: PeerLink; readonly previous: Entry }
  | { readonly kind: 'lost'; readonly link: PeerLink };

/** The one canonical session per peer, and how many there have been. */
export class LinkTable {
  readonly #byPeer = new Map<PeerId, Entry>();
  readonly #generations = new BoundedMap<PeerId, number>({ max: MAX_REMEMBERED_GENERATIONS });

  get size(): number {
    return this.#byPeer.size;
  }

  links(): readonly PeerLink[] {
    return Array.from(this.#byPeer.values(), (entry) => entry.link);
  }

  sessions(): readonly PeerSession[] {
    return Array.from(this.#byPeer.values(), (entry) => entry.session);
  }

  get(peerId: PeerId): PeerLink | undefined {
    return this.#byPeer.get(peerId)?.link;
  }

  session(peerId: PeerId): PeerSession | undefined {
    return this.#byPeer.get(peerId)?.session;
  }

  /** The name that both ends have for the canonical connection to `peerId`. */
  connectionId(peerId: PeerId): string | undefined {
    return this.#byPeer.get(peerId)?.contender.connectionId;
  }

  /** Decides whether a session that finished its hello is canonical now. */
  admit(session: PeerSession, contender: Contender, facts: Omit<PeerLink, 'generation'>): Admission {
    const { peerId } = facts;
    const previous = this.#byPeer.get(peerId);
    const generation = this.#generations.get(peerId) ?? 0;
    if (previous !== undefined && chooseConnection(incumbentOf(previous), contender) === 'incumbent') {
      return { kind: 'lost', link: { ...facts, generation } };
    }
    const link = { ...facts, generation: generation + 1 };
    this.#generations.set(peerId, link.generation);
    this.#byPeer.set(peerId, { session, contender, link });
    return previous === undefined ? { kind: 'first', link } : { kind: 'replaced', link, previous };
  }

  /** Forgets `session` when it is the canonical one; true when it was. */
  remove(session: PeerSession): boolean {
    const peerId = session.link?.peerId;
    if (peerId === undefined || this.#byPeer.get(peerId)?.session !== session) return false;
    return this.#byPeer.delete(peerId);
  }
}

function incumbentOf({ session, contender }: Entry): Incumbent {
  return { ...contender, heardAtMs: session.connection.lastReceivedMs };
}
