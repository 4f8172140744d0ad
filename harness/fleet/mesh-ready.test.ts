import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../kit/clock.ts';
import type { CallOptions } from '../../node/client.ts';
import { missing, type Observation, seen } from '../../proofs/observation.ts';
import { type ReadyHost, waitForMesh } from './mesh-ready.ts';

const BUDGET_MS = 1_000;

interface FakeHost {
  readonly name: string;
  status: 'healthy' | 'degraded';
  peers: readonly string[];
  bound: Observation<boolean>;
  answers: 'yes' | 'no' | 'never';
}

function meshOf(...names: readonly string[]): FakeHost[] {
  return names.map((name) => ({
    name,
    status: 'healthy',
    peers: names.filter((other) => other !== name),
    bound: seen(true),
    answers: 'yes',
  }));
}

function hostOf(fake: FakeHost, clock: VirtualClock): ReadyHost {
  const answer = async <T>(body: T, { timeoutMs = 15_000 }: CallOptions) => {
    if (fake.answers === 'no') throw new Error('connection refused');
    if (fake.answers === 'never') {
      await clock.sleep(timeoutMs);
      throw new Error(`no answer after ${timeoutMs} ms`);
    }
    return body;
  };
  return {
    name: fake.name,
    udpAddress: '127.0.0.1:1',
    udpPortBound: async () => fake.bound,
    node: {
      health: (options) => answer({ status: fake.status, degraded_reason: 'no live peers' }, options),
      agent: (options) => answer({ machine_id: fake.name }, options),
      peers: (options) => answer({ peers: fake.peers.map((id) => ({ id })) }, options),
    },
  };
}

async function wait(fakes: readonly FakeHost[], budgetMs = BUDGET_MS) {
  const clock = new VirtualClock();
  const hosts = fakes.map((fake) => hostOf(fake, clock));
  const waiting = waitForMesh(hosts, {
    budgetMs,
    signal: new AbortController().signal,
    clock,
  });
  waiting.catch(() => {});
  for (let step = 0; step < 60; step += 1) {
    await new Promise(setImmediate);
    await clock.advance(100);
  }
  return await Promise.race([waiting, Promise.reject(new Error(`still waiting after ${clock.nowMs()} ms`))]);
}

describe('waiting for the mesh', () => {
  it('ends when every node has a live connection to each of the others', async () => {
    expect(await wait(meshOf('a', 'b', 'c'))).toMatchObject({ liveLinks: 6 });
  });

  it('does not ask for a UDP port where the platform cannot tell', async () => {
    const mesh = meshOf('a', 'b').map((fake) => ({ ...fake, bound: missing('absent', 'no socket table') }));
    expect(await wait(mesh)).toMatchObject({ liveLinks: 2 });
  });

  it('does not wait until time is up for a node that calls itself healthy and holds no port', async () => {
    const mesh = meshOf('a', 'b');
    Object.assign(mesh[0] ?? {}, { bound: seen(false) });
    await expect(wait(mesh, 60_000)).rejects.toThrow(/within 5000 ms: a has not bound UDP/);
  });

  it.for([
    [
      'who lacks whom',
      (mesh: FakeHost[]) => Object.assign(mesh[1] ?? {}, { peers: ['a'] }),
      /b has no live connection to c/,
    ],
    [
      'a node that does not answer',
      (mesh: FakeHost[]) => Object.assign(mesh[2] ?? {}, { answers: 'no' }),
      /c does not answer: connection refused/,
    ],
    [
      'a node that is degraded',
      (mesh: FakeHost[]) => Object.assign(mesh[0] ?? {}, { status: 'degraded' }),
      /a is degraded: no live peers/,
    ],
    [
      'a node without its UDP port',
      (mesh: FakeHost[]) => Object.assign(mesh[0] ?? {}, { bound: seen(false) }),
      /a has not bound UDP/,
    ],
    [
      'a node whose UDP port cannot be read',
      (mesh: FakeHost[]) => Object.assign(mesh[0] ?? {}, { bound: missing('unreadable', 'no /proc') }),
      /a cannot be seen to hold UDP 127\.0\.0\.1:1: no \/proc/,
    ],
    [
      'a node that never answers',
      (mesh: FakeHost[]) => Object.assign(mesh[2] ?? {}, { answers: 'never' }),
      /c does not answer: no answer after 1000 ms/,
    ],
  ] as const)('names %s when time is up', async ([, harm, message]) => {
    const mesh = meshOf('a', 'b', 'c');
    harm(mesh);
    await expect(wait(mesh)).rejects.toThrow(message);
  });
});
