/**
 * Programs of ours that are not in the roster and come from outside to do harm.
 * `garbage`: real handshakes, then bytes that are no frames. `forger`: well-formed messages whose signatures are wrong.
 * `flooder`: valid gossip as fast as it is taken. `silent`: a live link that never answers and never reads.
 * `stranger`: another network id, dialling again and again.
 */
export const OUTSIDER_KINDS = ['garbage', 'forger', 'flooder', 'silent', 'stranger'] as const;
export type OutsiderKind = (typeof OUTSIDER_KINDS)[number];

/** What outsiders publish on; whoever rests a link on it harms nobody else's topic. */
export const OUTSIDER_TOPIC = 'meshproof.outsider';

/** What an outsider did so far: proof that the attack took place. */
export interface OutsiderReport {
  readonly kind: OutsiderKind;
  readonly dialled: number;
  readonly handshakes: number;
  readonly refused: number;
  /** Code of the last dial that failed. */
  readonly lastRefusal: string | null;
  readonly framesSent: number;
  readonly closedByPeer: number;
}

/** Outsiders at work until disposed of. */
export interface JoinedOutsiders extends AsyncDisposable {
  /** The machine that they run on, for people: they take part of its processors. */
  readonly place: string;
  report(): Promise<readonly OutsiderReport[]>;
}

export interface Outsiders {
  /** Starts them against `targets`. Throws `FaultError` `OUTSIDERS_UNAVAILABLE` where the fleet offers no place. */
  join(request: {
    readonly kinds: readonly OutsiderKind[];
    readonly targets: readonly string[];
    readonly seed: number;
  }): Promise<JoinedOutsiders>;
}
