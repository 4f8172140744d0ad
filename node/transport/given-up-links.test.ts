import { test } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { ShiftedClock } from './fixture-clocks.ts';
import { ImpairedSocket } from './impaired-socket.ts';
import { GIVEN_UP_QUIET_MS } from './supersede.ts';
import { TransportRig } from './transport-rig.ts';
import { DEFAULT_TUNING } from './tuning.ts';

const signal = () => AbortSignal.timeout(30_000);
const soon = { budgetMs: 20_000, everyMs: 5 };

test('a peer that gave a young link up without our hearing of it gets another at once, whoever opened the first', async () => {
  await using rig = new TransportRig();
  const impaired = new ImpairedSocket();
  const start = async () => {
    const clock = new ShiftedClock();
    const node = await rig.node({ tuning: { tickMs: 20 } }, { clock, createSocket: impaired.factory });
    return { ...node, clock };
  };
  // The smaller id gives up: of two racing connections that of the larger would stand.
  const started = [await start(), await start()];
  const [a, b] = started.toSorted((x, y) => (x.transport.peerId < y.transport.peerId ? -1 : 1));
  if (!a || !b) throw new Error('two nodes were started');
  await b.transport.dial(a.address, { signal: signal() });
  await until('the link', () => a.transport.linkTo(b.transport.peerId), soon);
  impaired.passOnlyUpTo(0);
  const giveUp = () => {
    a.clock.aheadMs += DEFAULT_TUNING.idleTimeoutMs;
    return a.transport.links().length === 0 || undefined;
  };
  await until('its end', giveUp, { ...soon, everyMs: 100 }); // some packets may still be on their way
  b.clock.aheadMs = GIVEN_UP_QUIET_MS + 1;
  impaired.passOnlyUpTo(Number.POSITIVE_INFINITY);
  await a.transport.dial(b.address, { signal: signal() });
  const agree = () =>
    a.transport.connectionIdOf(b.transport.peerId) === b.transport.connectionIdOf(a.transport.peerId) ||
    undefined;
  await until('both ends to agree', agree, soon);
});
