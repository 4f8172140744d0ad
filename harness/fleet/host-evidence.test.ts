import { describe, expect, it } from 'vitest';
import type { NodeClient } from '../../node/client.ts';
import { recordSchema } from '../../proofs/evidence.ts';
import { fixtureHost } from './fixture-host.ts';
import type { Host, HostSession } from './host.ts';
import { HostError } from './host-error.ts';
import { hostRecords } from './host-evidence.ts';
import type { InventoryHost } from './inventory.ts';
import type { MeshHost } from './mesh-host.ts';
import { GATHERED } from './preflight/fixture-gathered.ts';

const never = new AbortController().signal;
const PROGRAM = 'c'.repeat(64);
const RUNNING = `exe /opt/meshproof/versions/1/program/bin/node\n${PROGRAM}  -\n`;
const lost = () => new HostError('HOST_LOST', 'lab1', 'the connection ended');

const entry: InventoryHost = {
  name: 'lab1',
  region: null,
  ssh: {
    ...{ name: 'lab1', address: '192.0.2.1', port: 22, user: 'root', identity: { agent: true } },
    ...{ hostKey: null, proxyCommand: null, jump: null },
  },
  ...{ meshAddress: '192.0.2.1', udpPort: 5483, apiPort: 12_700, runnerPort: 12_701, roles: [] },
};

/** What the node answers about itself. */
function nodeSaying(bundle: string | 'nothing'): MeshHost {
  const document = () =>
    bundle === 'nothing' ? Promise.reject(lost()) : Promise.resolve({ body: { bundle_sha256: bundle } });
  const node = { document } as unknown as NodeClient; // nothing else of it is asked
  return { name: 'lab1', node } as MeshHost;
}

async function looked(host: Host, node: MeshHost, window: number | null, signal = never) {
  const [record, ...more] = await hostRecords([{ entry, host }], [node], window, signal);
  expect(more).toEqual([]);
  return recordSchema.parse(record); // what is written must be evidence
}

describe('the programs on record before a window', () => {
  it('are what the process is by the kernel, beside what the node says that it runs', async () => {
    const record = await looked(
      fixtureHost('lab1', () => RUNNING),
      nodeSaying('d'.repeat(64)),
      3,
    );
    expect(record).toEqual({
      ...{ type: 'program_seen', window: 3, node: 'lab1' },
      program: {
        seen: {
          executable: '/opt/meshproof/versions/1/program/bin/node',
          bundle_sha256: PROGRAM,
          reported_sha256: 'd'.repeat(64),
        },
      },
    });
  });

  it('are unreadable, with the code of the control plane, when the way to the host is lost', async () => {
    const host = fixtureHost('lab1', () => Promise.reject(lost()));
    expect(await looked(host, nodeSaying(PROGRAM), 1)).toMatchObject({
      program: { missing: 'unreadable', why: expect.stringMatching(/^HOST_LOST: lab1/) },
    });
  });

  it('are absent when nothing runs, whatever anybody says', async () => {
    const record = await looked(
      fixtureHost('lab1', () => 'stopped\n'),
      nodeSaying(PROGRAM),
      1,
    );
    expect(record).toMatchObject({ program: { missing: 'absent' } });
  });

  it('are not vouched for by a node that says nothing', async () => {
    const record = await looked(
      fixtureHost('lab1', () => RUNNING),
      nodeSaying('nothing'),
      1,
    );
    expect(record).toMatchObject({ program: { seen: { bundle_sha256: PROGRAM, reported_sha256: null } } });
  });

  it('are not made up when the run ends meanwhile', async () => {
    const end = new AbortController();
    const host = fixtureHost('lab1', () => {
      end.abort(new Error('interrupted'));
      throw lost();
    });
    await expect(looked(host, nodeSaying(PROGRAM), 1, end.signal)).rejects.toThrow('interrupted');
  });
});

describe('the hosts on record before the first window', () => {
  it('keep what was seen of each, over a connection that stays open', async () => {
    let closed = 0;
    const host: Host = {
      ...fixtureHost('lab1', () => GATHERED),
      session: async () => timeTeller(),
      close: async () => {
        closed += 1;
      },
    };
    expect(await looked(host, nodeSaying('nothing'), null)).toMatchObject({
      ...{ type: 'host_preflight', node: 'lab1' },
      clock_offset: { seen: { offset_ms: expect.any(Number) } },
      up_secs: { seen: expect.closeTo(1_011.39) },
      checks: expect.arrayContaining([expect.objectContaining({ check: 'reach', status: 'ok' })]),
    });
    expect(closed).toBe(0);
  });

  it('are failed and unread, never well, when one cannot be reached', async () => {
    const host = fixtureHost('lab1', () => Promise.reject(lost()));
    expect(await looked(host, nodeSaying(PROGRAM), null)).toMatchObject({
      ...{ type: 'host_preflight', status: 'fail' },
      clock_offset: { missing: 'unreadable' },
      up_secs: { missing: 'unreadable' },
      node_up_secs: { missing: 'unreadable' },
      checks: [{ check: 'reach', status: 'fail', said: expect.stringContaining('HOST_LOST') }],
    });
  });
});

/** A shell that tells the time, whatever it is asked. */
function timeTeller(): HostSession {
  async function* times() {
    for (;;) yield `${BigInt(Date.now()) * 1_000_000n}`;
  }
  return {
    send: () => {},
    lines: times(),
    ended: Promise.resolve({ code: 0, stderr: '' }),
    [Symbol.asyncDispose]: async () => {},
  };
}
