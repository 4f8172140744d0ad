import type { LinkPath } from '../transport/transport.ts';

/** A dead path is to cost a message less than 6 s, its dial included; a peer that merely has no processor may take this long. */
const PATIENCE_MS = 5_000;
const ROUND_TRIPS = 4;
/** Keep-alives bring something every 15 s: a link quiet for longer has lost one already. */
const SUSPECT_QUIET_MS = 20_000;
const SUSPECT_PATIENCE_MS = 2_000; // two retransmissions of QUIC or more

/**
 * After how long the link that carries a message is given up when nothing at all comes back, not even QUIC's
 * acknowledgement: 5 s; 2 s on a link that was quiet for 20 s before; never less than four round trips. This is how a
 * path that vanished without a word (a forgotten NAT mapping) is found by the first message that needs it; no probe of
 * its own is sent.
 */
export function silenceLimitMs({ quietMs, rttMs }: LinkPath): number {
  const patienceMs = quietMs >= SUSPECT_QUIET_MS ? SUSPECT_PATIENCE_MS : PATIENCE_MS;
  return Math.max(patienceMs, ROUND_TRIPS * (rttMs ?? 0));
}

/** Whether nothing came in the `waitedMs` since a message was first sent on the link, and these are enough to tell. */
export function isSilent(path: LinkPath, limitMs: number, waitedMs: number): boolean {
  return waitedMs >= limitMs && path.quietMs >= waitedMs;
}
