import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { Random } from '../../kit/random.ts';
import { NetworkRig, PEER, whyNoRig } from './network-rig.ts';
import { ownTables } from './nft-read.ts';
import type { FaultOperation } from './protocol.ts';

const why = whyNoRig();
const DEATHS = Number(process.env.MESHPROOF_DEADMAN ?? 6);
const SEED = Number(process.env.MESHPROOF_SEED ?? Random.freshSeed());
const TTL_MS = 2_000;
const OPERATIONS = ['apply', 'renew', 'revert'] as const satisfies readonly FaultOperation[];

describe.skipIf(why !== null)(`the dead man${why === null ? '' : ` (skipped: ${why})`}`, () => {
  let rig: NetworkRig;
  let before: string;

  beforeAll(async () => {
    rig = await NetworkRig.open();
    await rig.onHost('nft', 'add', 'table', 'inet', 'filter');
    await rig.onHost('nft', 'add', 'set', 'inet', 'filter', 'allowed', '{ type ipv4_addr; flags timeout; }');
    await rig.onHost('nft', 'add', 'element', 'inet', 'filter', 'allowed', '{ 198.51.100.9 }');
    await rig.onHost('tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'handle', '1:', 'htb');
    before = await rig.everything();
  }, 30_000);
  afterAll(async () => await rig[Symbol.asyncDispose]());

  /** Leases of ours whose addresses have not expired, by nft itself. */
  async function inForce(): Promise<readonly string[]> {
    const tables = ownTables(await rig.onHost('nft', '-j', 'list', 'ruleset'));
    return tables.filter((table) => table.inForce).map(({ name }) => name);
  }

  /** Starts `op` and kills the program `afterMs` later. True when it was still at it. */
  async function killDuring(op: FaultOperation, body: object, afterMs: number): Promise<boolean> {
    const child = rig.start(op, body);
    const closed = once(child, 'close');
    const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
    const [, signal] = await closed;
    clearTimeout(timer);
    return signal === 'SIGKILL';
  }

  it(`leaves nothing in force after ${DEATHS} deaths at random points of apply, renew and revert (seed ${SEED})`, {
    timeout: 60_000 + DEATHS * 10_000,
  }, async () => {
    const random = new Random(SEED);
    const lease = { run_id: 'dead-man', kind: 'cut', ttl_ms: TTL_MS, peers: [PEER.v4, PEER.v6] } as const;
    const times: number[] = [];
    for (const lease_id of ['measure-1', 'measure-2', 'measure-3']) {
      const startMs = performance.now();
      await rig.answer('apply', { lease: { ...lease, lease_id, larger_than_bytes: null } });
      times.push(performance.now() - startMs);
    }
    const typicalMs = Math.min(...times); // without a moment in which the machine stood still
    let killed = 0;
    for (let death = 0; killed < DEATHS && death < 10 * DEATHS; death++) {
      const lease_id = `d${death}`;
      const op = OPERATIONS[death % OPERATIONS.length] ?? 'apply';
      const applied = { ...lease, lease_id, larger_than_bytes: null };
      const key = { run_id: lease.run_id, lease_ids: [lease_id] };
      if (op !== 'apply') await rig.ask('apply', { lease: applied });
      const body = { apply: { lease: applied }, renew: { ...key, ttl_ms: TTL_MS }, revert: key }[op];
      if (await killDuring(op, body, random.int(Math.floor(typicalMs * 0.4), Math.ceil(typicalMs * 1.1))))
        killed += 1;
    }
    expect(killed, 'deaths that met the program alive').toBe(DEATHS);
    // An orphaned nft may still take what the dead program had given it; from then on its time runs.
    await until('the end of every lease', async () => ((await inForce()).length === 0 ? true : undefined), {
      budgetMs: TTL_MS + 5_000,
    });
    const probe = await rig.ask('probe', { address: PEER.v4, port: 9, count: 3, timeout_ms: 10_000 });
    expect(probe.answered).toBe(3);
    expect((await rig.ask('doctor', { heal: true })).remaining).toEqual([]);
    expect(await rig.everything()).toBe(before);
  });
});
