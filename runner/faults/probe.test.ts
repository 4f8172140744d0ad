import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { realClock } from '../../kit/clock.ts';
import { probeAddress } from './probe.ts';

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

it('takes a refusal for an answer, and gives the median of the times', async () => {
  const request = { address: '127.0.0.1', port: await closedPort(), count: 5, timeout_ms: 5_000 };
  const result = await probeAddress(request, realClock);
  expect(result).toMatchObject({ sent: 5, answered: 5 });
  expect(result.rtt_ms).toBeGreaterThan(0);
});

it('does not take for an answer that no route leads there', async () => {
  // Reserved for multicast: a connection is refused by this host itself, before anything travels.
  const request = { address: '224.0.0.1', port: 9, count: 2, timeout_ms: 500 };
  expect(await probeAddress(request, realClock)).toEqual({ sent: 2, answered: 0, rtt_ms: null });
});
