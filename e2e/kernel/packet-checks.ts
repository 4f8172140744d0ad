import { until } from '../../kit/deadline.ts';
import { OTHER, PEER } from '../../runner/faults/network-rig.ts';
import { SINK_PORT } from './link-probe.ts';
import { type Checks, KEY, KEYS, LONG_MS, SLOW_MS, type VmHost } from './vm-host.ts';

const CUT = { ...KEY, kind: 'cut', ttl_ms: LONG_MS, peers: [PEER.v4, PEER.v6], larger_than_bytes: null };
const BURST = 3_000; // netem's own limit is 1,000

/** What faults do to packets, measured by packets. */
export const packetChecks = (vm: VmHost): Checks => ({
  capabilities: async () => (await vm.rig.ask('capabilities')).kinds,

  delay: async () => {
    const before = await vm.lookAtAll();
    await vm.shape({ delay_ms: SLOW_MS });
    const during = await vm.lookAtAll();
    const { matched } = await vm.rig.ask('counters', KEYS);
    return { before, during, matched: matched[KEY.lease_id], ...(await vm.revert()) };
  },

  jitter: async () => {
    await vm.shape({ delay_ms: 100 });
    const steady = await vm.link.ask({ address: PEER.v4, count: 200, every_ms: 10 });
    await vm.shape({ delay_ms: 100, jitter_ms: 30 });
    const { rtts_ms, overtaken } = await vm.link.ask({ address: PEER.v4, count: 200, every_ms: 10 });
    const mean = rtts_ms.reduce((sum, rtt) => sum + rtt, 0) / rtts_ms.length;
    const deviation = Math.sqrt(rtts_ms.reduce((sum, rtt) => sum + (rtt - mean) ** 2, 0) / rtts_ms.length);
    return {
      answered: rtts_ms.length,
      mean_ms: mean,
      deviation_ms: deviation,
      overtaken,
      overtaken_without: steady.overtaken,
      ...(await vm.revert()),
    };
  },

  loss: async () => {
    await vm.shape({ loss_ratio: 0.3 });
    const ask = async (address: string) =>
      (await vm.link.ask({ address, count: 400, every_ms: 2, patience_ms: 2_000 })).rtts_ms.length;
    return {
      sent: 400,
      peer4: await ask(PEER.v4),
      peer6: await ask(PEER.v6),
      other4: await ask(OTHER.v4),
      ...(await vm.revert()),
    };
  },

  rate: async () => {
    await vm.shape({ rate_kbit: 800 });
    const count = 60;
    const { rtts_ms, spread_ms } = await vm.link.ask({ address: PEER.v4, count, every_ms: 0, bytes: 958 });
    const kbit = ((count - 1) * 1_000 * 8) / spread_ms; // 958 bytes are 1,000 with the headers of UDP, IP and Ethernet
    return { answered: rtts_ms.length, kbit, ...(await vm.revert()) };
  },

  queue: async () => {
    await vm.rig.onPeers('nft', 'add', 'table', 'inet', 'count');
    await vm.rig.onPeers(
      'nft',
      'add',
      'chain',
      'inet',
      'count',
      'in',
      '{ type filter hook prerouting priority 0; }',
    );
    await vm.rig.onPeers(
      'nft',
      'add',
      'rule',
      'inet',
      'count',
      'in',
      'udp',
      'dport',
      String(SINK_PORT),
      'counter',
    );
    await vm.shape({ delay_ms: 10 });
    await vm.shape({ delay_ms: 8_000 });
    await vm.link.ask({ address: PEER.v4, port: SINK_PORT, count: BURST, every_ms: 0, patience_ms: 0 });
    const waiting = await vm.netem();
    await until('the end of the queue', async () => ((await vm.netem()).qlen === 0 ? true : undefined), {
      budgetMs: 60_000,
      everyMs: 500,
    });
    const { drops } = await vm.netem();
    const arrived = Number(
      /"packets": (\d+)/.exec(await vm.rig.onPeers('nft', '-j', 'list', 'table', 'inet', 'count'))?.[1],
    );
    return { sent: BURST, waiting: waiting.qlen, drops, arrived, ...(await vm.revert()) };
  },

  cut: async () => {
    await vm.rig.ask('apply', { lease: CUT });
    const during = await vm.lookAtAll();
    const { matched } = await vm.rig.ask('counters', KEYS);
    return { during, matched: matched[KEY.lease_id], ...(await vm.revert()) };
  },

  larger_than_bytes: async () => {
    await vm.rig.ask('apply', { lease: { ...CUT, larger_than_bytes: 1_000 } });
    const answered = async (address: string, bytes: number) =>
      (await vm.link.ask({ address, bytes, patience_ms: 2_000 })).rtts_ms.length;
    const during = {
      small4: await answered(PEER.v4, 900),
      big4: await answered(PEER.v4, 1_100),
      small6: await answered(PEER.v6, 900),
      big6: await answered(PEER.v6, 1_100),
      other: await answered(OTHER.v4, 1_100),
    };
    return { during, ...(await vm.revert()) };
  },
});
