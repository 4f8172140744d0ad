import type { ChildProcess } from 'node:child_process';
import { messageOf } from '../../kit/errors.ts';
import { NetworkRig, OTHER, PEER } from '../../runner/faults/network-rig.ts';
import { LinkProbe, medianOf, SSH_PORT } from './link-probe.ts';

export const KEY = { run_id: 'vm', lease_id: 'shape-1' } as const;
export const KEYS = { run_id: KEY.run_id, lease_ids: [KEY.lease_id] };
export const LONG_MS = 120_000;
export const SHAPE = {
  ...KEY,
  kind: 'shape',
  ttl_ms: LONG_MS,
  peers: [PEER.v4, PEER.v6],
  delay_ms: 0,
  jitter_ms: 0,
  loss_ratio: 0,
  rate_kbit: null,
};
export const SLOW_MS = 1_000; // far from what a busy machine adds

/** What is measured, by the name of the check. */
export type Checks = Readonly<Record<string, () => Promise<object>>>;

/** A host and its peers in two namespaces of the virtual machine, with a measured link and things of others on it. */
export class VmHost implements AsyncDisposable {
  readonly rig: NetworkRig;
  readonly link: LinkProbe;
  readonly #ends: readonly ChildProcess[];
  readonly #planted: string;

  private constructor(rig: NetworkRig, ends: readonly ChildProcess[], link: LinkProbe, planted: string) {
    this.rig = rig;
    this.link = link;
    this.#ends = ends;
    this.#planted = planted;
  }

  static async open({
    program,
    linkEnds,
  }: {
    readonly program: string;
    readonly linkEnds: string;
  }): Promise<VmHost> {
    const rig = await NetworkRig.open({ program });
    await rig.onHost('nft', 'add', 'table', 'inet', 'filter');
    await rig.onHost(
      'nft',
      'add',
      'chain',
      'inet',
      'filter',
      'out',
      '{ type route hook output priority -150; }',
    );
    await rig.onHost('nft', 'add', 'rule', 'inet', 'filter', 'out', 'tcp', 'sport', '22', 'accept');
    await rig.onHost('nft', 'add', 'table', 'ip', 'meshproofing');
    await rig.onHost('tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'handle', '1:', 'htb');
    const echo = rig.startOnPeers(process.execPath, linkEnds, 'echo', PEER.v4, PEER.v6, OTHER.v4, OTHER.v6);
    await new LinkProbe(echo).line(); // it listens
    const probe = rig.startOnHost(process.execPath, linkEnds, 'probe');
    return new VmHost(rig, [echo, probe], new LinkProbe(probe), await rig.everything());
  }

  async isClean(): Promise<boolean> {
    return (await this.rig.everything()) === this.#planted;
  }

  async isSlow(): Promise<boolean> {
    return ((await this.link.look(PEER.v4)).rtt_ms ?? Number.POSITIVE_INFINITY) > SLOW_MS / 2;
  }

  async shape(figures: object): Promise<void> {
    await this.rig.ask('apply', { lease: { ...SHAPE, ...figures } });
  }

  async revert() {
    await this.rig.ask('revert', KEYS);
    const clean = await this.isClean();
    return { clean, after: { peer4: await this.link.look(PEER.v4), peer6: await this.link.look(PEER.v6) } };
  }

  async lookAtAll() {
    return {
      peer4: await this.link.look(PEER.v4),
      peer6: await this.link.look(PEER.v6),
      other4: await this.link.look(OTHER.v4),
      other6: await this.link.look(OTHER.v6),
      ssh: medianOf((await this.link.ask({ over: 'tcp', address: OTHER.v4, port: SSH_PORT })).rtts_ms),
    };
  }

  /** The netem of ours on the link, by tc's own statistics. */
  async netem(): Promise<{ readonly qlen: number; readonly drops: number }> {
    const shown: readonly { kind: string; qlen: number; drops: number }[] = JSON.parse(
      await this.rig.onHost('tc', '-s', '-j', 'qdisc', 'show', 'dev', 'up0'),
    );
    const { qlen = -1, drops = -1 } = shown.find(({ kind }) => kind === 'netem') ?? {};
    return { qlen, drops };
  }

  /** Asks for a shape; gives why it was refused, or `taken`. */
  async refusal(peer: string): Promise<string> {
    return await this.shape({ peers: [peer], delay_ms: SLOW_MS }).then(() => 'taken', messageOf);
  }

  /** How many addresses nft still holds in sets of ours. */
  async elements(): Promise<number> {
    const { nftables }: { nftables: readonly { set?: { table: string; elem?: readonly unknown[] } }[] } =
      JSON.parse(await this.rig.onHost('nft', '-j', 'list', 'ruleset'));
    return nftables.reduce(
      (sum, { set }) => sum + (set?.table.startsWith('meshproof_') ? (set.elem?.length ?? 0) : 0),
      0,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends) end.kill();
    await this.rig[Symbol.asyncDispose]();
  }
}
