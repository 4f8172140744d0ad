import type { PeerId } from './transport.ts';

/** What decides between two connections to the same peer. Both ends know all of it alike, but for the clock. */
export interface Contender {
  readonly connectionId: string;
  readonly initiatorPeerId: PeerId;
  readonly dialSequence: number;
  /** SHA-256 of the peer's certificate, one per run of its process. */
  readonly peerInstance: string;
  readonly establishedAtMs: number;
}

/** The connection that a peer has now. */
export interface Incumbent extends Contender {
  /** When anything last came on it. */
  readonly heardAtMs: number;
}

/**
 * Two dials that race have both begun before either is known to be done, so the later one follows the earlier one
 * by no more than the time a dial may take. Someone who dials after that has lost the connection we still hold.
 */
export const SIMULTANEITY_WINDOW_MS = 20_000;

/**
 * Nobody who hears nothing gives a link up before 5 s (`direct/silence.ts`, `link-watch.ts`), and what it says of that
 * may be lost. A racing dial comes while the other connection is fresh.
 */
export const GIVEN_UP_QUIET_MS = 4_000;

/**
 * Says which of two connections to one peer goes on. A peer's new process beats the connection of its old one; a
 * newcomer beats what has stood, or been silent, so long that nobody who still has it would dial; otherwise the two race,
 * and the order is total, so that both ends choose the same whatever order they learn of them in: first the initiator with
 * the larger peer id, then its newer dial, then the larger connection id. (Choosing between initiators by connection
 * id would not be transitive together with "newer wins": three connections could beat each other in a circle.)
 */
export function chooseConnection(incumbent: Incumbent, newcomer: Contender): 'incumbent' | 'newcomer' {
  if (newcomer.peerInstance !== incumbent.peerInstance) return 'newcomer';
  if (newcomer.establishedAtMs - incumbent.establishedAtMs > SIMULTANEITY_WINDOW_MS) return 'newcomer';
  if (newcomer.establishedAtMs - incumbent.heardAtMs > GIVEN_UP_QUIET_MS) return 'newcomer';
  if (newcomer.initiatorPeerId !== incumbent.initiatorPeerId) {
    return newcomer.initiatorPeerId > incumbent.initiatorPeerId ? 'newcomer' : 'incumbent';
  }
  if (newcomer.dialSequence !== incumbent.dialSequence) {
    return newcomer.dialSequence > incumbent.dialSequence ? 'newcomer' : 'incumbent';
  }
  return newcomer.connectionId > incumbent.connectionId ? 'newcomer' : 'incumbent';
}
