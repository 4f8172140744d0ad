import { afterEach, describe, expect, it } from 'vitest';
import type { Host, HostSession } from '../fleet/host.ts';
import { HostError } from '../fleet/host-error.ts';
import { SshFaultDriver } from './ssh-fault-driver.ts';

type Request = { readonly id: number; readonly op: string; readonly body: Record<string, unknown> };
type Reply = object | 'silence' | 'cut' | 'noise';

const { signal } = new AbortController();
const opened: SshFaultDriver[] = [];
afterEach(() => Promise.all(opened.splice(0).map((driver) => driver.close().catch(() => {}))));

/** A host whose fault program answers as `reply` says; every session that was opened counts. */
class FakeHost implements Host {
  readonly name: string;
  readonly asked: Request[] = [];
  sessions = 0;
  readonly #reply: (request: Request) => Reply;

  constructor(name: string, reply: (request: Request) => Reply) {
    this.name = name;
    this.#reply = reply;
  }

  async session(argv: readonly string[]): Promise<HostSession> {
    expect(argv.at(-1)).toBe('serve');
    this.sessions += 1;
    const lines = new TransformStream<string, string>();
    const writer = lines.writable.getWriter();
    const over = Promise.withResolvers<{ code: number | null; stderr: string }>();
    const end = (code: number | null) => {
      writer.close().catch(() => {}); // it may be closed already
      over.resolve({ code, stderr: '' });
    };
    return {
      send: (line) => {
        const request = JSON.parse(line) as Request;
        this.asked.push(request);
        const reply = this.#reply(request);
        if (reply === 'cut') end(null);
        else if (reply === 'noise') void writer.write('Last login: today');
        else if (reply !== 'silence') void writer.write(JSON.stringify({ id: request.id, ...reply }));
      },
      lines: lines.readable,
      ended: over.promise,
      [Symbol.asyncDispose]: async () => end(0),
    };
  }

  async exec(argv: readonly string[], { stdin }: Parameters<Host['exec']>[1]) {
    const request = { id: 0, op: String(argv.at(-1)), body: JSON.parse(String(stdin)) };
    this.asked.push(request);
    const reply = this.#reply(request);
    if (reply === 'cut') throw new HostError('HOST_LOST', this.name, 'cut');
    return { code: 0, stdout: JSON.stringify(reply), stderr: '' };
  }

  writeFile = () => Promise.reject(new Error('not here'));
  connect = () => Promise.reject(new Error('not here'));
  async close(): Promise<void> {}
}

const done = (result: object = { took_ms: 1 }) => ({ ok: true, result });

function driverOf(...hosts: readonly FakeHost[]) {
  const expected: string[] = [];
  const driver = new SshFaultDriver({
    runId: 'run1',
    hosts: hosts.map((host, at) => ({
      name: host.name,
      host,
      addresses: [`192.0.2.${at + 1}`, `2001:db8::${at + 1}`],
      probePorts: [12_700, 22],
    })),
    endExpected: (node, role) => expected.push(`${role} of ${node}`),
  });
  opened.push(driver);
  return { driver, expected };
}

const cut = (at: string, peers: readonly string[]) => ({
  id: `f1.${at}`,
  ttlMs: 15_000,
  spec: { kind: 'cut' as const, at, peers, largerThanBytes: null },
});

describe('faults over SSH', () => {
  it('translate names into every address of a peer, and reach the program of the host itself', async () => {
    const [a, b] = [new FakeHost('a', () => done()), new FakeHost('b', () => done())];
    await driverOf(a, b).driver.apply(cut('b', ['a']), signal);
    expect(a.asked).toEqual([]);
    expect(b.asked).toMatchObject([
      {
        op: 'apply',
        body: { lease: { run_id: 'run1', lease_id: 'f1.b', peers: ['192.0.2.1', '2001:db8::1'] } },
      },
    ]);
  });

  it('ask again over a new session when one was cut with a request under way', async () => {
    let cuts = 1;
    const host = new FakeHost('a', () => (cuts-- > 0 ? 'cut' : done()));
    await driverOf(host).driver.revert('a', ['f1.a'], signal);
    expect([host.sessions, host.asked.length]).toEqual([2, 2]);
  });

  it('never ask for a second restart when the answer to the first was lost', async () => {
    const host = new FakeHost('a', () => 'cut');
    const { driver, expected } = driverOf(host);
    await expect(driver.restart('a', 'node', signal)).rejects.toMatchObject({ code: 'HOST_LOST' });
    expect(host.asked).toHaveLength(1);
    expect(expected).toEqual(['node of a']);
  });

  it('give the refusal of the program as a fault of the harness that names the host', async () => {
    const host = new FakeHost('a', () => ({ ok: false, code: 'FOREIGN_QDISC', message: 'eth0 has one' }));
    const refused = driverOf(host).driver.renew('a', ['f1.a'], 1_000, signal);
    await expect(refused).rejects.toMatchObject({ code: 'FOREIGN_QDISC', message: 'a: eth0 has one' });
  });

  it('call what is no answer a failure of the harness, never of the mesh', async () => {
    const asked = driverOf(new FakeHost('a', () => 'noise')).driver.capabilities('a', signal);
    await expect(asked).rejects.toMatchObject({ name: 'FaultError', code: 'FAULT_PROGRAM_UNREADABLE' });
  });

  it('look at what stands without the session, and know their own from leases of other runs', async () => {
    const standing = ['run1', 'run0'].map((run_id) => ({
      ...{ run_id, lease_id: 'f1.a', what: 'table', in_force: true, matched_packets: 1 },
    }));
    const host = new FakeHost('a', () => done({ standing }));
    expect(await driverOf(host).driver.standing('a', signal)).toMatchObject([
      { leaseId: 'f1.a', runId: 'run1' },
      { leaseId: null, runId: 'run0' },
    ]);
    expect(host.sessions).toBe(0);
  });

  it('probe the next port where the first one is silent, and keep to the one that answered', async () => {
    const answer = ({ body }: Request) =>
      done({ sent: 1, answered: body.port === 22 ? 1 : 0, rtt_ms: body.port === 22 ? 5 : null });
    const [a, b] = [new FakeHost('a', answer), new FakeHost('b', answer)];
    const { driver } = driverOf(a, b);
    expect(await driver.probe('a', 'b', 3, signal)).toEqual({ sent: 3, answered: 3, rttMs: 5 });
    await driver.probe('a', 'b', 1, signal);
    expect(a.asked.map(({ body }) => body.port)).toEqual([12_700, 12_700, 12_700, 22, 22, 22, 22]);
  });

  it('are reverted when the driver is closed', async () => {
    const host = new FakeHost('b', () => done());
    const { driver } = driverOf(new FakeHost('a', () => done()), host);
    await driver.apply(cut('b', ['a']), signal);
    await driver.close();
    expect(host.asked.at(-1)).toMatchObject({ op: 'revert', body: { lease_ids: ['f1.b'] } });
  });
});
