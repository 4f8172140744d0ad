import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { figuresToWire, UNTOUCHED } from './link-agent/link-figures.ts';
import { LinkAgentProcess } from './link-agent-process.ts';
import { readProcessStat } from './process-stat.ts';

const HOST = '127.0.0.1';
const SOON = { budgetMs: 20_000, everyMs: 5 };
const signal = () => AbortSignal.timeout(30_000);

/** A node's socket: what came to it, from where, when. */
class Peer {
  readonly socket: Socket = createSocket('udp4');
  readonly got: { readonly text: string; readonly fromPort: number; readonly atMs: number }[] = [];

  async bind(): Promise<number> {
    this.socket.on('message', (data, { port }) =>
      this.got.push({ text: String(data), fromPort: port, atMs: performance.now() }),
    );
    this.socket.bind(0, HOST);
    await once(this.socket, 'listening');
    return this.socket.address().port;
  }
}

let agent: LinkAgentProcess;
let a: Peer;
let b: Peer;
let ports: Record<'ab' | 'ba', number>;
const sleepers: ChildProcess[] = [];

beforeEach(async () => {
  agent = await LinkAgentProcess.start(1, signal());
  [a, b] = [new Peer(), new Peer()];
  const [portA, portB] = [await a.bind(), await b.bind()];
  const members = [
    { name: 'a', host: HOST, port: portA },
    { name: 'b', host: HOST, port: portB },
  ];
  const { routes } = await agent.ask({ op: 'open', members }, signal());
  const door = (at: string) => Number(routes.find((route) => route.at === at)?.address.split(':')[1]);
  ports = { ab: door('a'), ba: door('b') };
});
afterEach(async () => {
  await agent.stop();
  for (const { socket } of [a, b]) socket.close();
  for (const sleeper of sleepers.splice(0)) sleeper.kill('SIGKILL');
});

const send = (text: string) => a.socket.send(text, ports.ab, HOST);
const latency = (latencyMs: number) => figuresToWire({ ...UNTOUCHED, latencyMs });
const cut = (ttl_ms: number, id = 'cut') =>
  agent.ask(
    {
      op: 'apply',
      lease: {
        id,
        ttl_ms,
        spec: { kind: 'cut', edges: [['a', 'b']], larger_than_bytes: null, live_flow: false },
      },
    },
    signal(),
  );
const probe = () => agent.ask({ op: 'probe', edge: ['a', 'b'], count: 4, bytes: 100, every_ms: 1 }, signal());

function sleeper(): number {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  sleepers.push(child);
  return child.pid ?? Number.NaN;
}
const pause = (pid: number, ttl_ms: number) =>
  agent.ask({ op: 'apply', lease: { id: 'pause', ttl_ms, spec: { kind: 'pause', pid } } }, signal());
const stateBecomes = (pid: number, wanted: (state: string) => boolean) =>
  until(
    'the state of the process',
    () => {
      const state = readProcessStat(pid)?.state ?? 'gone';
      return wanted(state) ? state : undefined;
    },
    SOON,
  );

describe('the link agent', () => {
  it('carries datagrams so that each node knows the other by one address', async () => {
    send('one');
    await until('the datagram', () => b.got[0], SOON);
    b.socket.send('two', b.got[0]?.fromPort ?? 0, HOST);
    await until('the answer', () => a.got[0], SOON);
    expect([b.got[0]?.fromPort, a.got[0]?.fromPort]).toEqual([ports.ba, ports.ab]);
  });

  it('drops and counts what comes from elsewhere', async () => {
    b.socket.send('not from a', ports.ab, HOST);
    const { foreign_datagrams, links } = await until(
      'the count',
      async () => {
        const counters = await agent.ask({ op: 'counters' }, signal());
        return counters.foreign_datagrams > 0 ? counters : undefined;
      },
      SOON,
    );
    expect([foreign_datagrams, links.map(({ offered }) => offered)]).toEqual([1, [0, 0]]);
  });

  it('changes a link while it runs', async () => {
    await agent.ask({ op: 'profile', links: [{ edge: ['a', 'b'], figures: latency(120) }] }, signal());
    const sentMs = performance.now();
    send('slow');
    const { atMs } = await until('the datagram', () => b.got[0], SOON);
    expect(atMs - sentMs).toBeGreaterThanOrEqual(119);
    expect(await probe()).toMatchObject({
      sent: 4,
      answered: 4,
      rtt_ms: expect.toSatisfy((ms) => ms >= 119),
    });
    await agent.ask({ op: 'profile', links: [{ edge: ['a', 'b'], figures: latency(0) }] }, signal());
    const isQuick = async () => ((await probe()).rtt_ms ?? 120) < 119 || undefined;
    await until('a quick answer', isQuick, SOON); // the first may meet a moment in which this machine stands still
  });

  it('cuts until the lease ends by itself, and counts what met it', async () => {
    await cut(60_000);
    send('lost');
    await until(
      'the match',
      async () =>
        (await agent.ask({ op: 'standing' }, signal())).leases[0]?.matched_packets ? true : undefined,
      SOON,
    );
    expect(await probe()).toEqual({ sent: 4, answered: 0, rtt_ms: null });
    await agent.ask({ op: 'renew', ids: ['cut'], ttl_ms: 300 }, signal());
    await until('the end', async () => ((await probe()).answered === 4 ? true : undefined), SOON);
    expect(await agent.ask({ op: 'standing' }, signal())).toEqual({ leases: [] });
    expect(await agent.ask({ op: 'renew', ids: ['cut'], ttl_ms: 1_000 }, signal())).toEqual({
      gone: ['cut'],
    });
    expect(b.got).toEqual([]);
  });

  it('ends a fault at once when told to', async () => {
    await cut(60_000);
    await agent.ask({ op: 'revert', ids: ['cut', 'unknown'] }, signal());
    expect(await probe()).toMatchObject({ answered: 4 });
  });

  it('refuses links that it does not have, and requests that are none', async () => {
    await expect(
      agent.ask({ op: 'probe', edge: ['a', 'x'], count: 1, bytes: 1, every_ms: 0 }, signal()),
    ).rejects.toMatchObject({ code: 'UNKNOWN_LINK' });
    await expect(cut(-1)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  it('that is killed is told as gone, to who waits and to who asks later', async () => {
    await agent.ask({ op: 'profile', links: [{ edge: ['a', 'b'], figures: latency(60_000) }] }, signal());
    const waiting = probe();
    process.kill(agent.pid ?? Number.NaN, 'SIGKILL');
    await expect(waiting).rejects.toMatchObject({ code: 'LINK_AGENT_GONE' });
    await expect(probe()).rejects.toMatchObject({ code: 'LINK_AGENT_GONE' });
  });
});

describe('a link agent that does not answer as agreed', () => {
  it.for([
    ['with no JSON', 'some library has a word to say', 'some library has a word to say'],
    ['with another document', '{"id":"one"}', '{"id":"one"}'],
    ['with a line that is too long', 'x'.repeat(100_000), `${'x'.repeat(200)}…`],
    ['with the result of another request', '{"id":1,"ok":true,"result":{"gone":[]}}', '{"gone":[]}'],
  ])('%s fails whoever waits, and is asked again', async ([, line, said]) => {
    const home = await mkdtemp(join(tmpdir(), 'meshproof-agent-'));
    const program = join(home, 'agent.mjs');
    await writeFile(
      program,
      `const answers = ${JSON.stringify([line, '{"id":2,"ok":true,"result":{"leases":[]}}'])};
       process.stdin.on('data', () => console.log(answers.shift())).on('end', () => process.exit(0));
       console.log('listening');`,
    );
    const garbling = await LinkAgentProcess.start(1, signal(), program);
    try {
      await expect(garbling.ask({ op: 'standing' }, signal())).rejects.toMatchObject({
        code: 'LINK_AGENT_GARBLED',
        details: { said },
      });
      expect(await garbling.ask({ op: 'standing' }, signal())).toEqual({ leases: [] });
    } finally {
      await garbling.stop();
      await rm(home, { recursive: true });
    }
  });
});

describe.skipIf(process.platform !== 'linux')('a process paused by the link agent', () => {
  it('goes on when its lease ends by itself', async () => {
    const pid = sleeper();
    await pause(pid, 60_000);
    expect(await stateBecomes(pid, (state) => state === 'T')).toBe('T');
    await agent.ask({ op: 'renew', ids: ['pause'], ttl_ms: 300 }, signal());
    expect(await stateBecomes(pid, (state) => state === 'S')).toBe('S');
  });

  it('goes on when the agent is told to end', async () => {
    const pid = sleeper();
    await pause(pid, 60_000);
    await stateBecomes(pid, (state) => state === 'T');
    await agent.stop();
    expect(await stateBecomes(pid, (state) => state === 'S')).toBe('S');
  });

  it('goes on, and its lease is gone, when nothing would undo the pause any more', async () => {
    const pid = sleeper();
    await pause(pid, 60_000);
    await stateBecomes(pid, (state) => state === 'T');
    const undo = Number(readFileSync(`/proc/${agent.pid}/task/${agent.pid}/children`, 'utf8'));
    process.kill(undo, 'SIGKILL');
    expect(await stateBecomes(pid, (state) => state === 'S')).toBe('S');
    expect(await agent.ask({ op: 'renew', ids: ['pause'], ttl_ms: 1_000 }, signal())).toEqual({
      gone: ['pause'],
    });
  });

  it('cannot be one that is gone', async () => {
    const pid = sleeper();
    process.kill(pid, 'SIGKILL');
    await stateBecomes(pid, (state) => state === 'gone');
    await expect(pause(pid, 1_000)).rejects.toMatchObject({ code: 'PROCESS_GONE' });
    expect(await agent.ask({ op: 'standing' }, signal())).toEqual({ leases: [] });
  });
});
