import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../kit/clock.ts';
import { type Observation, seen } from '../../proofs/observation.ts';
import { type ReadyHost, waitForMesh } from './mesh-ready.ts';

interface FakeHost {
  readonly name: string;
  status: 'healthy' | 'degraded';
  peers: readonly string[];
  bound: Observation<boolean>;
  answers: 'yes' | 'no';
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

function hostOf(fake: FakeHost): ReadyHost {
  const answer = async <T>(body: T) => {
    if (fake.answers === 'no') throw new Error('connection refused');
    return body;
  };
  return {
    name: fake.name,
    udpAddress: '127.0.0.1:1',
    udpPortBound: async () => fake.bound,
    node: {
      health: () => answer({ status: fake.status, degraded_reason: 'no live peers' }),
      agent: () => answer({ machine_id: fake.name }),
      peers: () => answer({ peers: fake.peers.map((id) => ({ id })) }),
    },
  };
}

async function wait(fakes: readonly FakeHost[]) {
  const clock = new VirtualClock();
  const waiting = waitForMesh(fakes.map(hostOf), {
    budgetMs: 1_000,
    signal: new AbortController().signal,
    clock,
  });
  waiting.catch(() => {});
  for (let step = 0; step < 30; step += 1) {
    await new Promise(setImmediate);
    await clock.advance(100);
  }
  return await waiting;
}

describe('waiting for the mesh', () => {
  it('ends when every node has a live connection to each of the others', async () => {
    expect(await wait(meshOf('a', 'b', 'c'))).toMatchObject({ liveLinks: 6 });
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
  ] as const)('names %s when time is up', async ([, harm, message]) => {
    const mesh = meshOf('a', 'b', 'c');
    harm(mesh);
    await expect(wait(mesh)).rejects.toThrow(message);
  });
});
