import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { enterCommand } from '../../harness/lab/containers/enter-host.ts';
import type { LabHost } from '../../harness/lab/containers/lab-plan.ts';

const PROGRAMS = '/opt/dead-man';
const COMMAND_BUDGET_MS = 20_000;
/** A service that systemd would kill and restart soon after it has been paused. */
const WATCHED = `[Service]
Type=notify
NotifyAccess=all
WatchdogSec=1500ms
Restart=always
ExecStart=/bin/sh -c 'systemd-notify --ready; while :; do systemd-notify WATCHDOG=1; sleep 0.5; done'
`;
const PLAIN = '[Service]\nExecStart=/bin/sleep infinity\n';
const DEPENDENT = `[Unit]\nRequires=plain.service\nAfter=plain.service\n${PLAIN}`;

/** Sizes of sets and letters of states, by the host's own systemd; parted by `--`. */
const LOOK_INSIDE = [
  'systemctl list-units --all --plain --full --no-legend "meshproof*" "somebody*"',
  'echo --',
  'systemctl show --property=Id,ActiveState,SubState,MainPID,NRestarts,WatchdogUSec watched',
  'systemctl show --property=Id,ActiveState,SubState plain dependent',
  'echo --',
  'grep -l "^State:.T" /proc/[0-9]*/status 2>/dev/null | wc -l',
].join('; ');

/** What anybody may find on the host, byte for byte, with nothing asked of the fault program. */
export interface Look {
  readonly nft: string;
  readonly tc: string;
  /** Timers and transient services of ours and of others. */
  readonly units: string;
  readonly services: string;
  /** How many of the host's processes are stopped by a signal. */
  readonly paused: number;
}

/** A machine of the lab with services to harm, things of others that must not change, and the fault program. */
export class DeadManHost {
  readonly name: string;
  readonly peers: { readonly v4: string; readonly v6: string };
  readonly #leader: number;
  readonly #sshConfig: string;

  private constructor(host: LabHost, peer: LabHost, leader: number, sshConfig: string) {
    this.name = host.name;
    this.peers = { v4: peer.address, v6: peer.address6 };
    this.#leader = leader;
    this.#sshConfig = sshConfig;
  }

  static async prepare(
    { host, leader, peer }: { readonly host: LabHost; readonly leader: number; readonly peer: LabHost },
    { sshConfig, program }: { readonly sshConfig: string; readonly program: string },
  ): Promise<DeadManHost> {
    const it = new DeadManHost(host, peer, leader, sshConfig);
    const root = `/proc/${leader}/root`;
    await mkdir(join(root, PROGRAMS), { recursive: true });
    await copyFile(process.execPath, join(root, PROGRAMS, 'node'));
    await copyFile(program, join(root, PROGRAMS, 'faults.mjs'));
    for (const [name, text] of Object.entries({ watched: WATCHED, plain: PLAIN, dependent: DEPENDENT })) {
      await writeFile(join(root, 'etc/systemd/system', `${name}.service`), text);
    }
    await it.#enter('systemctl daemon-reload && systemctl start watched dependent');
    await it.#plant();
    return it;
  }

  /** The command that serves faults over SSH, as the harness would hold it. */
  serveArgv(id: string): readonly [string, ...string[]] {
    return [
      'ssh',
      '-F',
      this.#sshConfig,
      this.name,
      `MESHPROOF_TRIAL=${id}`,
      `${PROGRAMS}/node`,
      `${PROGRAMS}/faults.mjs`,
      'serve',
    ];
  }

  async look(): Promise<Look> {
    const onNetwork = async (...argv: readonly string[]) =>
      (
        await execa('nsenter', [`--net=/proc/${this.#leader}/ns/net`, '--', ...argv], {
          timeout: COMMAND_BUDGET_MS,
        })
      ).stdout;
    const [nft, tc, inside] = await Promise.all([
      onNetwork('nft', '-j', 'list', 'ruleset'),
      onNetwork('tc', '-j', 'qdisc', 'show'),
      this.#enter(LOOK_INSIDE),
    ]);
    const [units = '', services = '', paused = ''] = inside.split('--\n');
    return { nft, tc, units, services, paused: Number(paused) };
  }

  async #plant(): Promise<void> {
    await this.#enter(
      [
        'nft add table inet filter',
        "nft add chain inet filter input '{ type filter hook input priority 0; }'",
        'nft add rule inet filter input tcp dport 22 accept',
        "nft add set inet filter allowed '{ type ipv4_addr; flags timeout; }'",
        "nft add element inet filter allowed '{ 203.0.113.9 }'",
        'nft add table ip meshproofing',
        'tc qdisc add dev lo root handle 1: htb',
        'systemd-run --quiet --unit=meshproofing-undo --on-active=1d true',
        'systemd-run --quiet --unit=somebody --on-active=1d true',
      ].join(' && '),
    );
  }

  async #enter(script: string): Promise<string> {
    const [program, ...args] = await enterCommand(this.#leader, ['sh', '-c', script]);
    return (await execa(program, args, { timeout: COMMAND_BUDGET_MS, stdin: 'ignore' })).stdout;
  }
}
