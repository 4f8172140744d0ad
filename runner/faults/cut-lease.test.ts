import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { HOST, NetworkRig, OTHER, PEER, Session, whyNoRig } from './network-rig.ts';

const why = whyNoRig();
const KEY = { run_id: 'rig', lease_ids: ['cut-1'] } as const;
const LONG_MS = 60_000;
const CUT = {
  run_id: 'rig',
  lease_id: 'cut-1',
  kind: 'cut',
  ttl_ms: LONG_MS,
  larger_than_bytes: null,
} as const;
const FOREIGN_RULES = [
  'table inet filter',
  'chain inet filter input { type filter hook input priority 0; }',
] as const;

describe.skipIf(why !== null)(
  `a cut in a real kernel${why === null ? '' : ` (skipped: ${why})`}`,
  { timeout: 60_000 },
  () => {
    let rig: NetworkRig;
    let before: string;

    beforeAll(async () => {
      rig = await NetworkRig.open();
      for (const rule of FOREIGN_RULES) await rig.onHost('nft', 'add', ...(rule.split(' ') as [string]));
      await rig.onHost('nft', 'add', 'rule', 'inet', 'filter', 'input', 'tcp', 'dport', '22', 'accept');
      await rig.onHost('nft', 'add', 'table', 'ip', 'meshproofing');
      await rig.onHost('tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'handle', '1:', 'htb');
      before = await rig.everything();
    }, 30_000);
    afterAll(async () => await rig[Symbol.asyncDispose]());

    /** How many of three probes from the host to `address` were answered. */
    async function answered(address: string, timeout_ms: number): Promise<number> {
      return (await rig.ask('probe', { address, port: 9, count: 3, timeout_ms })).answered;
    }
    const expectReached = async (address: string) => expect(await answered(address, 10_000)).toBe(3);
    const expectCut = async (address: string) => expect(await answered(address, 150)).toBe(0);

    async function untilReached(address: string): Promise<void> {
      const probe = async () => ((await answered(address, 150)) === 3 ? true : undefined);
      await until('the end of the cut', probe, { budgetMs: 30_000 });
    }

    async function expectClean(): Promise<void> {
      expect(await rig.ask('list')).toEqual({ standing: [] });
      expect(await rig.everything()).toBe(before);
    }

    it('drops what the peer sends in both address families, counts it, and leaves other peers alone', async () => {
      await expectReached(PEER.v4);
      await expectReached(PEER.v6);
      await rig.ask('apply', { lease: { ...CUT, peers: [PEER.v4, PEER.v6] } });
      const { matched } = await rig.ask('counters', KEY);
      await expectCut(PEER.v4);
      await expectCut(PEER.v6);
      await expectReached(OTHER.v4);
      await expectReached(OTHER.v6);
      const later = await rig.ask('counters', KEY);
      expect(later.matched['cut-1']).toBeGreaterThanOrEqual((matched['cut-1'] ?? 0) + 6);
      await rig.ask('revert', KEY);
      await expectReached(PEER.v4);
      await expectReached(PEER.v6);
      await expectClean();
    });

    it('drops only the packets that are larger than given', async () => {
      await rig.ask('apply', { lease: { ...CUT, peers: [PEER.v4, PEER.v6], larger_than_bytes: 1_000 } });
      const send = (from: string, to: string, bytes: number) =>
        `s=require('dgram').createSocket('udp${to.includes(':') ? 6 : 4}');s.bind(0,'${from}',()=>s.send(Buffer.alloc(${bytes}),9,'${to}',()=>s.close()))`;
      for (const [from, to] of [
        [PEER.v4, HOST.v4],
        [PEER.v6, HOST.v6],
      ] as const) {
        for (const bytes of [900, 1_000, 1_200])
          await rig.onPeers(process.execPath, '-e', send(from, to, bytes));
      }
      // 1,000 bytes of payload are larger than 1,000 with their headers; 900 are not.
      expect((await rig.ask('counters', KEY)).matched).toEqual({ 'cut-1': 4 });
      await expectReached(PEER.v4);
      await rig.ask('revert', KEY);
      await expectClean();
    });

    it('ends by itself in the kernel when the program that applied it is long gone', async () => {
      const lease = { ...CUT, peers: [PEER.v4], ttl_ms: 8_000 };
      expect(await rig.answer('apply', { lease })).toMatchObject({ code: 0, answer: { ok: true } });
      await expectCut(PEER.v4);
      await untilReached(PEER.v4);
      const { standing } = await rig.ask('list');
      expect(standing.map(({ in_force }) => in_force)).toEqual([false]);
      await rig.ask('doctor', { heal: true });
      await expectClean();
    });

    it('lives on while it is renewed', async () => {
      const ttl_ms = 8_000;
      await rig.ask('apply', { lease: { ...CUT, peers: [PEER.v4, PEER.v6], ttl_ms } });
      const startMs = performance.now();
      while (performance.now() - startMs < 1.25 * ttl_ms) {
        expect(await rig.ask('renew', { ...KEY, ttl_ms })).toEqual({ renewed: ['cut-1'], lost: [] });
        await expectCut(PEER.v4);
      }
      await rig.ask('revert', KEY);
      await expectClean();
    });

    it('is lost when it is renewed after its end, and stays ended', async () => {
      await rig.ask('apply', { lease: { ...CUT, peers: [PEER.v4], ttl_ms: 500 } });
      await untilReached(PEER.v4);
      expect(await rig.ask('renew', { ...KEY, ttl_ms: LONG_MS })).toEqual({ renewed: [], lost: ['cut-1'] });
      await expectReached(PEER.v4);
      await expectClean();
    });

    it('stands once when it is applied twice, and reverting what is not there does nothing', async () => {
      await rig.ask('apply', { lease: { ...CUT, peers: [PEER.v4] } });
      await rig.ask('apply', { lease: { ...CUT, peers: [PEER.v4] } });
      expect((await rig.ask('list')).standing).toHaveLength(1);
      await rig.ask('revert', KEY);
      await rig.ask('revert', { run_id: 'never', lease_ids: ['heard-of'] });
      await expectClean();
    });

    it('is found by doctor as another version may have left it, and healed without touching what is foreign', async () => {
      await rig.onHost('nft', 'add', 'table', 'ip6', 'meshproof');
      await rig.ask('apply', { lease: { ...CUT, run_id: 'of-an-older-run', peers: [PEER.v4] } });
      const { found, remaining } = await rig.ask('doctor');
      expect(remaining).toEqual(found);
      expect(found.map(({ what, run_id, in_force }) => ({ what, run_id, in_force }))).toEqual([
        { what: 'nft table ip6 meshproof', run_id: null, in_force: false },
        {
          what: 'nft table inet meshproof_of-an-older-run_cut-1 (cut)',
          run_id: 'of-an-older-run',
          in_force: true,
        },
      ]);
      expect((await rig.ask('doctor', { heal: true })).remaining).toEqual([]);
      await expectClean();
    });

    it.each([
      ['its input ends', (child: { stdin: { end(): void } | null }) => child.stdin?.end()],
      ['it gets SIGTERM', (child: { kill(signal: 'SIGTERM'): void }) => child.kill('SIGTERM')],
    ] as const)('is reverted by the session that applied it when %s', async (_, endSession) => {
      const child = rig.start('serve');
      const session = new Session(child);
      expect(await session.ask('apply', { lease: { ...CUT, peers: [PEER.v4] } })).toMatchObject({ ok: true });
      await expectCut(PEER.v4);
      endSession(child);
      expect(await session.ended()).toBe(0);
      await expectReached(PEER.v4);
      await expectClean();
    });

    it('says by exit code and code what was wrong', async () => {
      expect(await rig.answer('apply', { lease: { ...CUT, peers: [] } })).toMatchObject({
        code: 64,
        answer: { ok: false, code: 'BAD_REQUEST' },
      });
      const shape = { ...CUT, kind: 'shape', larger_than_bytes: undefined, peers: [HOST.v4] };
      const lease = { ...shape, delay_ms: 1, jitter_ms: 0, loss_ratio: 0, rate_kbit: null };
      expect(await rig.answer('apply', { lease })).toMatchObject({
        code: 5,
        answer: { ok: false, code: 'NO_ROUTE' },
      });
      await expectClean();
    });
  },
);
