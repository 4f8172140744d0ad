import { connect } from 'node:net';
import type { Clock } from '../../kit/clock.ts';
import { codeOf } from '../../kit/errors.ts';
import type { FaultRequest, FaultResult } from './protocol.ts';

/**
 * Control probes beside the nodes: TCP connections, one after another. A refusal travelled both ways and so counts as
 * an answer; silence, and word of a router that nothing is there, do not.
 */
export async function probeAddress(
  { address, port, count, timeout_ms }: FaultRequest<'probe'>,
  clock: Clock,
  signal?: AbortSignal,
): Promise<FaultResult<'probe'>> {
  const rtts: number[] = [];
  for (let sent = 0; sent < count; sent++) {
    signal?.throwIfAborted();
    const startMs = clock.nowMs();
    if (await isAnswered(address, port, timeout_ms, signal)) rtts.push(clock.nowMs() - startMs);
  }
  return { sent: count, answered: rtts.length, rtt_ms: medianOf(rtts) };
}

function isAnswered(host: string, port: number, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (answered: boolean) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(answered);
    };
    const onAbort = () => end(false);
    const timer = setTimeout(() => end(false), timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => end(true));
    socket.on('error', (error) => end(codeOf(error) === 'ECONNREFUSED'));
  });
}

function medianOf(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  return upper === undefined || lower === undefined ? null : (upper + lower) / 2;
}
