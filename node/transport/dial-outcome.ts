import { unmapped } from './addresses.ts';
import { type CloseReason, isRefusal } from './close-codes.ts';
import type { PeerSession } from './peer-session.ts';
import type { PeerLink } from './transport.ts';
import { TransportError } from './transport-error.ts';

/** How a waiting dial learns what became of it. */
export interface DialOutcome {
  readonly resolve: (link: PeerLink) => void;
  readonly reject: (error: unknown) => void;
}

/** Why a dial came to nothing, with the refusal's own name when there was one. */
export function dialError(session: PeerSession, { by, name, detail }: CloseReason): TransportError {
  const { host, port } = session.connection.remote;
  const at = `${unmapped(host)}:${port}`;
  const details = { host: unmapped(host), port, by, reason: name, detail };
  if (isRefusal(name))
    return new TransportError(
      name,
      `${at} ${by === 'us' ? 'was refused' : 'refused us'}: ${name}, ${detail}`,
      { details },
    );
  const isSilence = by === 'silence' || name === 'DialAborted';
  return new TransportError(
    isSilence ? 'DIAL_TIMEOUT' : 'DIAL_FAILED',
    `No link to ${at}: ${name}, ${detail}`,
    { details },
  );
}
