/** How much of a request that is not whole yet has come. */
export interface RequestArrival {
  receivedBytes: number;
  /** What the last look saw; undefined before the first. */
  seen: { readonly sinceMs: number; movedAtMs: number; receivedBytes: number } | undefined;
}

/** Slower than this over its whole length a request only holds memory: 16 MiB may take four minutes. */
const LEAST_BYTES_PER_MS = 64;

/**
 * Whether a half-sent request may stay: it must move at least once in `stallMs`, and be no slower on the whole than
 * 64 KB/s after the first `stallMs`. Call it regularly; it keeps what it saw in `arrival.seen`.
 */
export function judgeArrival(
  arrival: RequestArrival,
  stallMs: number,
  nowMs: number,
): 'arriving' | 'expired' {
  const { receivedBytes } = arrival;
  arrival.seen ??= { sinceMs: nowMs, movedAtMs: nowMs, receivedBytes };
  const { seen } = arrival;
  if (receivedBytes > seen.receivedBytes) {
    seen.movedAtMs = nowMs;
    seen.receivedBytes = receivedBytes;
  }
  if (nowMs - seen.movedAtMs >= stallMs) return 'expired';
  const allowedMs = stallMs + receivedBytes / LEAST_BYTES_PER_MS;
  return nowMs - seen.sinceMs >= allowedMs ? 'expired' : 'arriving';
}
