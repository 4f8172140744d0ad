import { codeOf, MeshproofError } from '../../kit/errors.ts';

/**
 * What a failed dial means for the next one. `retry`: the network or the peer failed, back off. `wrong_peer`: another
 * identity lives there. The others are not dialled for a while or at all, see `Tombstones`.
 */
export type DialFailure = 'retry' | 'wrong_peer' | 'self' | 'policy' | 'pool';

const MEANING: Readonly<Record<string, DialFailure>> = {
  SELF_DIAL: 'self',
  WRONG_PEER: 'wrong_peer',
  WRONG_NETWORK: 'policy',
  Banned: 'policy',
  PEER_BANNED: 'pool', // by either side, and for a while only
  PROTOCOL_VERSION: 'pool', // it may be upgraded, but not by being asked each second
};

/** Reads the code of a dial's error, or the close reason in its details; what is not known is retried. */
export function meaningOfFailure(error: unknown): DialFailure {
  const reason = error instanceof MeshproofError ? error.details.reason : undefined;
  const named = typeof reason === 'string' ? MEANING[reason] : undefined;
  return MEANING[codeOf(error)] ?? named ?? 'retry';
}
