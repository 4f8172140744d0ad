import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeHost } from './fake-host.ts';
import { FaultProgram } from './fault-program.ts';

const TTL_MS = 15_000;
const LEASE = { run_id: '20261121T120000Z-abc123', lease_id: 'f1.0', ttl_ms: TTL_MS } as const;
const KEY = { run_id: LEASE.run_id, lease_ids: [LEASE.lease_id] } as const;
const CUT = { ...LEASE, kind: 'cut', peers: ['192.0.2.7'], larger_than_bytes: null } as const;
const SHAPE = {
  ...LEASE,
  kind: 'shape',
  peers: ['192.0.2.7'],
  delay_ms: 1_500,
  jitter_ms: 200,
  loss_ratio: 0,
  rate_kbit: null,
} as const;
const PAUSE = { ...LEASE, kind: 'pause', unit: 'node.service' } as const;
const STOP = { ...LEASE, kind: 'stop', unit: 'node.service' } as const;
const KINDS = [CUT, SHAPE, PAUSE, STOP] as const;

let directory: string;
let host: FakeHost;
let program: FaultProgram;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meshproof-desk-'));
  freshHost();
});
afterEach(async () => await rm(directory, { recursive: true, force: true }));

function freshHost(): void {
  host = new FakeHost(directory);
  host.addUnit('runner.service');
  host.addUnit('node.service', { watchdogUsec: 30_000_000, dependents: ['runner.service'] });
  program = new FaultProgram(host);
}

/** What stands on the fake host beyond a healthy one, told by the model itself. */
function leftovers(): readonly string[] {
  const node = host.units.get('node.service');
  return [
    ...host.tables.keys(),
    ...host.qdiscs.keys(),
    ...host.timers.keys(),
    ...[...host.units].filter(([, unit]) => !unit.isRunning || unit.letter === 'T').map(([name]) => name),
    ...(node?.watchdogUsec === 30_000_000 ? [] : [`watchdog of ${node?.watchdogUsec} µs`]),
  ];
}

function isInForce(kind: (typeof KINDS)[number]['kind']): boolean {
  const node = host.units.get('node.service');
  if (kind === 'pause') return node?.letter === 'T';
  if (kind === 'stop') return node?.isRunning === false;
  const [table] = host.tables.values();
  return [...(table?.expiryByAddress.values() ?? [])].some((expiry) => expiry > host.clock.nowMs());
}

describe.each(KINDS)('a lease of kind $kind', (lease) => {
  it('is in force once applied, is seen, and leaves nothing when reverted', async () => {
    await program.handle('apply', { lease });
    expect(isInForce(lease.kind)).toBe(true);
    const { standing } = await program.handle('list', {});
    expect(standing.filter((one) => one.in_force).map((one) => one.lease_id)).toContain(LEASE.lease_id);
    await program.handle('revert', KEY);
    expect(leftovers()).toEqual([]);
    expect(await program.handle('list', {})).toEqual({ standing: [] });
    expect((await readdir(directory)).filter((name) => name !== '.lock')).toEqual([]);
  });

  it('stands once when it is applied twice', async () => {
    await program.handle('apply', { lease });
    const timers = host.timers.size;
    await host.advance(TTL_MS / 2);
    await program.handle('apply', { lease });
    expect(host.timers.size).toBe(timers);
    await host.advance(TTL_MS - 1);
    expect(isInForce(lease.kind)).toBe(true);
    await program.handle('revert', KEY);
    expect(leftovers()).toEqual([]);
  });

  it('lives on while it is renewed, and ends by itself when nobody renews it', async () => {
    await program.handle('apply', { lease });
    for (let beat = 0; beat < 5; beat++) {
      await host.advance(TTL_MS - 1_000);
      expect(await program.handle('renew', { ...KEY, ttl_ms: TTL_MS })).toEqual({
        renewed: [LEASE.lease_id],
        lost: [],
      });
      expect(isInForce(lease.kind)).toBe(true);
    }
    await host.advance(TTL_MS + 1_000);
    expect(leftovers()).toEqual([]);
  });

  it('is reported lost, and is not revived, when it is renewed too late', async () => {
    await program.handle('apply', { lease });
    await host.advance(TTL_MS + 100);
    expect(await program.handle('renew', { ...KEY, ttl_ms: TTL_MS })).toEqual({
      renewed: [],
      lost: [LEASE.lease_id],
    });
    expect(isInForce(lease.kind)).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  it('is healed by doctor without any note of it', async () => {
    await program.handle('apply', { lease });
    await rm(directory, { recursive: true });
    const { found } = await program.handle('doctor', { heal: true });
    expect(found.length).toBeGreaterThan(0);
    expect(leftovers()).toEqual([]);
  });

  it.each(['apply', 'renew', 'revert'] as const)(
    'ends by itself wherever the program is killed during %s',
    async (op) => {
      const body = { apply: { lease }, renew: { ...KEY, ttl_ms: TTL_MS }, revert: KEY }[op];
      let deaths = 0;
      for (let at = 0; ; at++) {
        freshHost();
        await rm(directory, { recursive: true, force: true });
        if (op !== 'apply') await program.handle('apply', { lease });
        host.commandsUntilDeath = at;
        const isKilled = await program.handle(op, body).then(
          () => false,
          () => true,
        );
        host.commandsUntilDeath = Number.POSITIVE_INFINITY;
        if (!isKilled) break;
        deaths += 1;
        await host.advance(TTL_MS + 5_000);
        expect(leftovers(), `killed before command ${at + 1} of ${op}`).toEqual([]);
      }
      expect(deaths).toBeGreaterThan(1);
    },
  );

  it('arms what undoes it before it begins', async () => {
    await program.handle('apply', { lease });
    const begin = {
      cut: 'nft -f',
      shape: 'tc qdisc add',
      pause: 'systemctl kill',
      stop: 'systemctl stop node',
    };
    const armed = host.commands.findIndex((command) => command.startsWith('systemd-run'));
    const begun = host.commands.findIndex((command) => command.startsWith(begin[lease.kind]));
    expect(armed).toBeGreaterThanOrEqual(0);
    expect(begun).toBeGreaterThan(armed);
  });
});

it('brings back the services that systemd stopped along with the unit', async () => {
  await program.handle('apply', { lease: STOP });
  expect(host.units.get('runner.service')?.isRunning).toBe(false);
  await program.handle('revert', KEY);
  expect(host.units.get('runner.service')?.isRunning).toBe(true);
});

it('refuses to pause a unit whose watchdog cannot be relaxed, and leaves it running', async () => {
  host.addUnit('deaf.service', { watchdogUsec: 30_000_000, watchdogIsDeaf: true });
  const lease = { ...PAUSE, unit: 'deaf.service' };
  await expect(program.handle('apply', { lease })).rejects.toMatchObject({ code: 'WATCHDOG_STANDS' });
  expect(host.units.get('deaf.service')?.letter).toBe('S');
  expect(leftovers()).toEqual([]);
});

it('refuses to stop a unit that does not run: undoing it would start what nobody had started', async () => {
  const node = host.units.get('node.service');
  if (node) node.isRunning = false;
  await expect(program.handle('apply', { lease: STOP })).rejects.toMatchObject({ code: 'UNIT_NOT_RUNNING' });
  expect(host.timers.size).toBe(0);
});

it('does not start a unit that an operator stopped after the lease had ended', async () => {
  await program.handle('apply', { lease: STOP });
  await host.advance(TTL_MS + 100);
  await host.run(['systemctl', 'stop', 'node.service']);
  expect(await program.handle('list', {})).toEqual({ standing: [] });
  await program.handle('revert', KEY);
  expect(host.units.get('node.service')?.isRunning).toBe(false);
});

it('loses a pause when the process was started anew, and does not resume the new one', async () => {
  await program.handle('apply', { lease: PAUSE });
  await host.run(['systemctl', 'restart', 'node.service']);
  expect(await program.handle('renew', { ...KEY, ttl_ms: TTL_MS })).toMatchObject({ lost: [LEASE.lease_id] });
});

it('refuses a second shape while one is in force, and takes its place once it has expired', async () => {
  await program.handle('apply', { lease: SHAPE });
  const second = { ...SHAPE, run_id: 'another-run', peers: ['192.0.2.8'] };
  await expect(program.handle('apply', { lease: second })).rejects.toMatchObject({ code: 'SHAPE_TAKEN' });
  await host.advance(TTL_MS + 10); // its timers would fire a second later
  await program.handle('apply', { lease: second });
  await host.advance(5_000);
  expect(isInForce('shape')).toBe(true);
  expect([...host.qdiscs.keys()]).toEqual(['eth0']);
});

it('never replaces a foreign root qdisc', async () => {
  host.qdiscs.set('eth0', { kind: 'htb', handle: '1:' });
  await expect(program.handle('apply', { lease: SHAPE })).rejects.toMatchObject({ code: 'FOREIGN_QDISC' });
  await program.handle('doctor', { heal: true });
  expect(host.qdiscs.get('eth0')).toEqual({ kind: 'htb', handle: '1:' });
});

it('loses a shape whose qdisc somebody removed', async () => {
  await program.handle('apply', { lease: SHAPE });
  host.qdiscs.clear();
  expect(await program.handle('renew', { ...KEY, ttl_ms: TTL_MS })).toEqual({
    renewed: [],
    lost: [LEASE.lease_id],
  });
});

it('does not call a host clean that it cannot look at', async () => {
  host.lacking.add('tc');
  await expect(program.handle('list', {})).rejects.toMatchObject({ code: 'COMMAND_MISSING' });
  const { kinds } = await program.handle('capabilities', { units: [] });
  expect(kinds.cut).toContain('tc is not installed');
  expect(kinds.pause).toContain('tc is not installed');
});

it('refuses a cut that would silence the session that asks for it', async () => {
  host.controlAddress = '2001:db8:0::9';
  program = new FaultProgram(host);
  const lease = { ...CUT, peers: ['192.0.2.7', '2001:db8::9'] };
  await expect(program.handle('apply', { lease })).rejects.toMatchObject({ code: 'WOULD_CUT_CONTROL' });
  expect(leftovers()).toEqual([]);
  await program.handle('apply', { lease: CUT });
});

it('names the unit that a host lacks', async () => {
  const { kinds } = await program.handle('capabilities', { units: ['node.service', 'absent.service'] });
  expect(kinds).toMatchObject({
    cut: null,
    shape: null,
    pause: 'there is no unit absent.service on this host',
  });
});

it('restarts a unit and gives its new process', async () => {
  const before = host.units.get('node.service')?.pid;
  const { pid } = await program.handle('restart', { unit: 'node.service' });
  expect(pid).not.toBe(before);
  expect(await program.handle('process', { unit: 'node.service' })).toEqual({ state: 'running', pid });
});

it('tells the field, the value and what was expected of a wrong request', async () => {
  const lease = { ...CUT, peers: ['192.0.2.7', 'node-7'] };
  await expect(program.handle('apply', { lease })).rejects.toMatchObject({
    code: 'BAD_REQUEST',
    message: 'apply: lease.peers.1: expected an IPv4 or IPv6 address without a zone; got "node-7"',
  });
});
