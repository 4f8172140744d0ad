import pino from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../kit/clock.ts';
import { until } from '../kit/deadline.ts';
import { FakeMesh } from './fake-node.ts';
import { NodeLink } from './node-link.ts';

let link: NodeLink | undefined;
afterEach(() => link?.stop());

describe('the link to a node', () => {
  it('does not call a stream attached that ended before its subscriptions were renewed', async () => {
    const node = new FakeMesh().add('nyc');
    const renewing = Promise.withResolvers<void>();
    const renewed = Promise.withResolvers<void>();
    const open = new NodeLink({
      open: async () => node,
      clock: new VirtualClock(), // the back-off never ends
      log: pino({ level: 'silent' }),
      onDirect: () => {},
      onTopic: () => {},
      onEventsAttached: () => {
        renewing.resolve();
        return renewed.promise;
      },
    });
    link = open;
    const starting = open.start(300, new AbortController().signal);
    starting.catch(() => {});
    await renewing.promise;
    node.breakStreams();
    await until('the end of the direct stream', () => (open.streams.direct ? undefined : true), {
      budgetMs: 20_000,
    });
    renewed.resolve();
    await expect(starting).rejects.toMatchObject({ code: 'NODE_NOT_ATTACHED' });
    expect(open.streams.events).toBe(false);
    expect(open.attachedTimes('events')).toBe(0);
  });
});
