import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { withinBudget } from '../../../kit/deadline.ts';
import { FaultError } from '../../../kit/errors.ts';
import { sha256Hex } from '../../../kit/hash.ts';
import type { RouterConfig } from '../link-router/router-config.ts';
import { type LinkPlan, sealedLinks } from '../links/link-plan.ts';
import type { ControlGroups } from './control-groups.ts';
import { divert, lookAtDiversion, ROUTER_DEVICE, routeByDevice, undivert } from './diversion.ts';
import type { LabPlan } from './lab-plan.ts';
import type { ProcessId } from './lab-state.ts';
import { identifyProcess, readProc } from './process-id.ts';
import { SYSTEM_PATH } from './system-command.ts';
import { switchOff } from './take-down.ts';

const START_BUDGET_MS = 20_000; // a Node on a busy machine
const LISTENING = 'listening\n';

/**
 * Becomes the program that follows, with a TUN device of the namespace that it is in: its descriptor is the last argument.
 * Node cannot ask for one, for it has no ioctl. TUNSETIFF with IFF_TUN and IFF_NO_PI, linux/if_tun.h. Arguments: name of the
 * device, program and arguments.
 */
export const OPEN_TUN = `
my $name = shift; $^F = 255; # what is opened now stays open
sysopen(my $tun, "/dev/net/tun", 2) or die "/dev/net/tun: $! (modprobe tun)\\n";
my $request = pack("a16 S x22", $name, 0x1001);
ioctl($tun, 0x400454ca, $request) or die "a TUN device cannot be made: $!\\n";
exec @ARGV, fileno($tun) or die "$ARGV[0]: $!\\n";`;

/** Enters the control groups first, so that it is found by them. Arguments: as below, and then the groups. */
const LAUNCH = `
set -eu
namespace=$1 script=$2 device=$3 node=$4 program=$5 digest=$6 lab=$7; shift 7
for group; do echo $$ > "$group/cgroup.procs"; done
exec nsenter --net="$namespace" perl -e "$script" "$device" "$node" "$program" "$digest" "$lab"`;

/** The router of a lab, as its process says itself. */
export interface StandingRouter {
  readonly process: ProcessId;
  /** Of its configuration, which does not change while it runs. */
  readonly configSha256: string;
}

/** What a router for `links` between the hosts of `plan` is started with, as text, and the digest that names it. */
export function routerConfig({ hosts }: LabPlan, links: LinkPlan): { text: string; sha256: string } {
  const config: RouterConfig = {
    members: hosts.map(({ name, address, address6 }) => ({ name, addresses: [address, address6] })),
    links: sealedLinks(
      links,
      hosts.map(({ name }) => name),
    ),
  };
  const text = JSON.stringify(config);
  return { text, sha256: sha256Hex(text) };
}

/** The router of the lab, found by its control group; `undefined` when none runs. */
export async function findRouter(plan: LabPlan, groups: ControlGroups): Promise<StandingRouter | undefined> {
  for (const pid of await groups.pidsOf(plan.routerGroup)) {
    const argv = ((await readProc(`/proc/${pid}/cmdline`)) ?? '').split('\0');
    const at = argv.indexOf(plan.network); // behind the digest, whatever installation has started it
    const process = await identifyProcess(pid);
    if (at > 0 && process !== undefined) return { process, configSha256: argv[at - 1] ?? '' };
  }
  return undefined;
}

/**
 * Puts a router between the hosts of a lab, in place of one that is there. It outlives this process; when it ends, hosts
 * are cut from each other.
 * @throws FaultError `LAB_LINKS_ROUTER` with its own last words when it does not come up
 */
export async function startRouter(
  plan: LabPlan,
  links: LinkPlan,
  groups: ControlGroups,
  signal: AbortSignal,
): Promise<void> {
  await divert(plan, signal);
  await switchOff(plan.routerGroup, groups, signal);
  const { text: config, sha256 } = routerConfig(plan, links);
  const log = await open(plan.routerLog, 'w', 0o600);
  try {
    const group = await groups.make(plan.routerGroup);
    const namespace = `/run/netns/${plan.network}`;
    const argv = [namespace, OPEN_TUN, ROUTER_DEVICE, process.execPath, programPath(), sha256, plan.network];
    const child = spawn('sh', ['-c', LAUNCH, 'meshproof-lab-links', ...argv, ...group], {
      detached: true,
      stdio: ['pipe', 'pipe', log.fd],
      cwd: '/',
      env: { PATH: SYSTEM_PATH },
    }) as ChildProcessByStdio<Writable, Readable, null>;
    child.once('error', () => {}); // then nothing is said below
    child.stdin.on('error', () => {}); // it has ended: the same
    child.stdin.end(config);
    child.unref();
    const said = await withinBudget(
      'the link router',
      START_BUDGET_MS,
      () => firstLine(child.stdout),
      signal,
    );
    if (said !== LISTENING) {
      const lastWords = (await readFile(plan.routerLog, 'utf8')).trim().split('\n').at(-1);
      throw new FaultError('LAB_LINKS_ROUTER', `the link router did not come up: ${lastWords}`);
    }
  } finally {
    await log.close();
  }
  await routeByDevice(plan, signal);
}

/** Takes the router from between the hosts, if there is one. */
export async function stopRouter(plan: LabPlan, groups: ControlGroups, signal: AbortSignal): Promise<void> {
  if ((await lookAtDiversion(plan, signal)) !== 'none') await undivert(plan, signal);
  await switchOff(plan.routerGroup, groups, signal);
}

/** What was said up to the end of a line, or of all; nothing is read after it. */
async function firstLine(stream: Readable): Promise<string> {
  let said = '';
  for await (const chunk of stream) {
    said += String(chunk);
    if (said.endsWith('\n')) break;
  }
  return said;
}

/** Beside the built command in a package, a source in a checkout. */
function programPath(): string {
  const built = join(import.meta.dirname, 'link-router.js');
  return existsSync(built) ? built : join(import.meta.dirname, '../link-router/main.ts');
}
