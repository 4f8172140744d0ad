import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../kit/clock.ts';
import { until } from '../../kit/deadline.ts';
import { sha256Hex } from '../../kit/hash.ts';
import type { OutsiderKind } from '../../scenarios/outsiders.ts';
import { fixtureHost } from '../fleet/fixture-host.ts';
import type { ExecResult, Host, HostSession } from '../fleet/host.ts';
import { LISTENING } from './protocol.ts';
import { SshOutsiders } from './ssh-outsiders.ts';

const never = new AbortController().signal;
const soon = { budgetMs: 5_000, everyMs: 5 };
const PROGRAM = Buffer.from('a program');
const NODES = [
  { name: 'a', meshAddress: '192.0.2.1', udpPort: 5_483 },
  { name: 'b', meshAddress: 'b.example', udpPort: 5_484 },
  { name: 'c', meshAddress: '192.0.2.3', udpPort: 5_485 },
];
const REPORT = JSON.stringify([
  {
    kind: 'garbage',
    dialled: 3,
    handshakes: 2,
    refused: 0,
    last_refusal: null,
    frames_sent: 9,
    closed_by_peer: 1,
  },
]);

/** Host `c`, on which the command that runs outsiders becomes `answers` to what is said to it. */
class HostOfOutsiders {
  readonly sent: string[] = [];
  readonly ran: (readonly string[])[] = [];
  argv: readonly string[] = [];
  isClosed = false;
  stop: Omit<ExecResult, 'stdout'> = { code: 0, stderr: '' };
  resolves = '192.0.2.2       STREAM b.example\n192.0.2.2       DGRAM\n';
  /** Of one line; null says nothing. */
  answer: (line: string) => string | null = (line) => (line.startsWith('{') ? LISTENING : REPORT);
  readonly #heard: string[] = [];
  readonly #ended = Promise.withResolvers<Awaited<HostSession['ended']>>();
  #more = Promise.withResolvers<void>();

  readonly host: Host = {
    ...fixtureHost('c', () => ''),
    exec: async (argv) => {
      this.ran.push(argv);
      return {
        stdout: argv[0] === 'getent' ? this.resolves : '',
        ...(argv[0] === 'systemctl' ? this.stop : { code: 0, stderr: '' }),
      };
    },
    session: async (argv, { as }) => {
      this.argv = [as ?? 'user', ...argv];
      return this.#session();
    },
    close: async () => {
      this.isClosed = true;
    },
  };

  /** The program ended, or the connection (`code` null). */
  end(code: number | null, stderr = ''): void {
    this.#ended.resolve({ code, stderr });
    this.#more.resolve();
  }

  #session(): HostSession {
    return {
      send: (line) => {
        this.sent.push(line);
        const answer = this.sent.length === 1 ? null : this.answer(line);
        if (answer === null) return;
        this.#heard.push(answer);
        this.#more.resolve();
      },
      lines: this.#lines(),
      ended: this.#ended.promise,
      [Symbol.asyncDispose]: async () => this.end(0),
    };
  }

  async *#lines(): AsyncGenerator<string> {
    let isOver = false;
    void this.#ended.promise.then(() => {
      isOver = true;
    });
    while (!isOver) {
      await this.#more.promise;
      this.#more = Promise.withResolvers();
      yield* this.#heard.splice(0);
    }
  }
}

function outsidersOn(there: HostOfOutsiders, clock = new VirtualClock()) {
  const place = new SshOutsiders({
    runId: 'run1',
    networkId: 'test',
    host: there.host,
    nodes: NODES,
    program: async () => PROGRAM,
    clock,
  });
  const join = (signal: AbortSignal = never, kinds: readonly OutsiderKind[] = ['garbage']) =>
    place.join({ kinds, targets: ['a', 'b', 'c'], seed: 3 }, signal);
  return { place, join, clock };
}

describe('outsiders on a host over SSH', () => {
  it('get their program with its digest, then whom to attack, and report where they are', async () => {
    const there = new HostOfOutsiders();
    const joined = await outsidersOn(there).join();
    expect(there.argv.slice(0, 2)).toEqual(['root', 'systemd-run']);
    expect(there.argv.at(-1)).toBe(sha256Hex(PROGRAM));
    const [program = '', config = ''] = there.sent;
    expect(gunzipSync(Buffer.from(program, 'base64'))).toEqual(PROGRAM);
    // The node beside them is reached over loopback: its mesh address may be a translated one.
    const addresses = ['192.0.2.1', '192.0.2.2', '127.0.0.1'];
    const targets = addresses.map((host, index) => ({ host, port: NODES[index]?.udpPort }));
    expect(JSON.parse(config)).toEqual({
      network_id: 'test',
      seed: 3,
      silence_max_ms: 15_000,
      outsiders: [{ kind: 'garbage', bind: { host: '0.0.0.0', port: 0 }, targets }],
    });
    expect(joined.place).toBe('c');
    expect(await joined.report()).toMatchObject([{ kind: 'garbage', dialled: 3, framesSent: 9 }]);
  });

  it('bind both families where a node has no IPv4 address', async () => {
    const there = new HostOfOutsiders();
    there.resolves = '2001:db8::2     STREAM b.example\n';
    await outsidersOn(there).join();
    const { outsiders } = JSON.parse(there.sent[1] ?? '');
    expect(outsiders).toMatchObject([{ bind: { host: '::' }, targets: [{}, { host: '2001:db8::2' }, {}] }]);
  });

  it('are spoken to more often than they bear silence, until they have left', async () => {
    const there = new HostOfOutsiders();
    const { join, clock } = outsidersOn(there);
    const joined = await join();
    for (let spoken = 3; spoken <= 5; spoken += 1) {
      await clock.advance(4_000);
      await until('a word to them', () => there.sent.length >= spoken || undefined, soon);
    }
    await joined[Symbol.asyncDispose]();
    const { length } = there.sent;
    await clock.advance(60_000);
    expect(there.sent).toHaveLength(length);
  });

  it.each([
    [
      'by themselves',
      1,
      'sh: 7: exec: node: not found\n',
      /outsiders on c ended by themselves: sh: 7: exec: node/,
    ],
    ['with the connection', null, '', /outsiders on c .*connection to them was lost/],
  ])('that end %s are told as gone, with host and reason', async (_, code, stderr, message) => {
    const there = new HostOfOutsiders();
    const joined = await outsidersOn(there).join();
    there.end(code, stderr);
    await expect(joined.report()).rejects.toMatchObject({
      code: 'OUTSIDERS_GONE',
      message: expect.stringMatching(message),
    });
  });

  it('that do not start are told as unavailable, with host and reason, and nothing is left', async () => {
    const there = new HostOfOutsiders();
    there.answer = () => {
      there.end(1, 'sudo: a password is required\nand what it was for\n');
      return null;
    };
    await expect(outsidersOn(there).join()).rejects.toMatchObject({
      code: 'OUTSIDERS_UNAVAILABLE',
      message: expect.stringMatching(/did not start on c: .*a password is required/),
    });
    expect(there.ran.at(-1)).toEqual(['systemctl', 'stop', 'meshproof-outsiders-run1-1.service']);
  });

  it('are refused when there are more than there is room for, before anything is started', async () => {
    const there = new HostOfOutsiders();
    const kinds = Array.from({ length: 33 }, () => 'silent' as const);
    await expect(outsidersOn(there).join(never, kinds)).rejects.toMatchObject({
      code: 'OUTSIDERS_UNAVAILABLE',
    });
    expect(there.argv).toEqual([]);
  });

  it('have left when systemd says that their unit is gone, and not before', async () => {
    const there = new HostOfOutsiders();
    there.stop = { code: 5, stderr: 'Unit not loaded.' }; // it went by itself
    await (await outsidersOn(there).join())[Symbol.asyncDispose]();
    const stuck = new HostOfOutsiders();
    stuck.stop = { code: 1, stderr: 'Job failed.\n' };
    const joined = await outsidersOn(stuck).join();
    await expect(joined[Symbol.asyncDispose]()).rejects.toMatchObject({
      code: 'OUTSIDERS_LEFT',
      message: expect.stringMatching(/c: meshproof-outsiders-run1-1 could not be stopped: Job failed/),
    });
  });

  it('leave when the run is told to end, and with the fleet, which closes the connection', async () => {
    const stop = new AbortController();
    const first = new HostOfOutsiders();
    await outsidersOn(first).join(stop.signal);
    stop.abort(new Error('over'));
    await until('their unit to be stopped', () => first.ran.at(-1)?.[1] === 'stop' || undefined, soon);
    const second = new HostOfOutsiders();
    const { place, join } = outsidersOn(second);
    await join();
    await place.close();
    expect(second.ran.at(-1)?.[1]).toBe('stop');
    expect(second.isClosed).toBe(true);
  });
});
