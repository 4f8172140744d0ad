import type { LinkProxy } from './link-proxy.ts';
import type { AgentAnswer, AgentRequest } from './protocol.ts';

type ProbeRequest = Extract<AgentRequest, { op: 'probe' }>;

/**
 * Sends packets of our own through a link, each answered through the opposite one. What became of each is known when it
 * happens, so a cut link costs no waiting.
 */
export async function runProbes(
  proxy: LinkProxy,
  { edge: [from, to], count, bytes, every_ms }: ProbeRequest,
  nowMs: () => number,
): Promise<AgentAnswer<'probe'>> {
  const rtts: number[] = [];
  const one = () =>
    new Promise<void>((resolve) => {
      const sentAtMs = nowMs();
      proxy.probe([from, to], bytes, (fate) => {
        if (fate !== 'delivered') return resolve();
        proxy.probe([to, from], bytes, (answerFate) => {
          if (answerFate === 'delivered') rtts.push(nowMs() - sentAtMs);
          resolve();
        });
      });
    });
  const probes = Array.from({ length: count }, (_, index) =>
    new Promise<void>((resolve) => setTimeout(resolve, index * every_ms)).then(one),
  );
  await Promise.all(probes);
  return { sent: count, answered: rtts.length, rtt_ms: median(rtts) };
}

function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.slice(Math.ceil(sorted.length / 2) - 1, Math.floor(sorted.length / 2) + 1);
  return middle.length === 0 ? null : middle.reduce((sum, value) => sum + value, 0) / middle.length;
}
