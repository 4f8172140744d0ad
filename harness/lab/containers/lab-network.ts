import type { LabHost, LabPlan } from './lab-plan.ts';
import { systemCommand } from './system-command.ts';

const PREFIX_LENGTH = 24;
const PREFIX_LENGTH6 = 64;

/** Lines for `ip -batch` in the lab's own namespace: a bridge, with the address that connections to hosts come from. */
function bridgeCommands({ gateway, gateway6, gatewayMac }: LabPlan): readonly string[] {
  return [
    'link set lo up',
    `link add br0 address ${gatewayMac} type bridge`, // or it would change with the ports
    `addr add ${gateway}/${PREFIX_LENGTH} dev br0`,
    `addr add ${gateway6}/${PREFIX_LENGTH6} dev br0 nodad`,
    'link set br0 up',
  ];
}

/** Lines for `ip -batch` in the lab's own namespace: a cable from the bridge into the host's namespace. */
function cableCommands(host: LabHost): readonly string[] {
  return [
    `link add ${host.name} type veth peer name eth0 address ${host.mac} netns ${host.machine}`,
    `link set ${host.name} master br0`,
    `link set ${host.name} up`,
  ];
}

/** Lines for `ip -batch` in the host's namespace. No route leads out of the lab's subnet. */
function hostCommands(host: LabHost): readonly string[] {
  return [
    'link set lo up',
    `addr add ${host.address}/${PREFIX_LENGTH} dev eth0`,
    `addr add ${host.address6}/${PREFIX_LENGTH6} dev eth0 nodad`,
    'link set eth0 up',
  ];
}

/** The network namespaces that begin with `prefix`, from `ip netns list`. */
export async function listNamespaces(prefix: string, signal: AbortSignal): Promise<readonly string[]> {
  const listed = await systemCommand(['ip', 'netns', 'list'], { signal });
  return listed
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name.startsWith(prefix));
}

/** Whether the lab has its network: it is off where it has none. */
export async function hasNetwork({ network }: LabPlan, signal: AbortSignal): Promise<boolean> {
  return (await listNamespaces(network, signal)).includes(network);
}

/** Makes the namespace with the bridge; none of its interfaces ever exists outside of it. */
export async function makeBridge(plan: LabPlan, signal: AbortSignal): Promise<void> {
  await systemCommand(['ip', 'netns', 'add', plan.network], { signal });
  await batch(plan.network, bridgeCommands(plan), signal);
}

/** Makes the host's namespace and connects it to the bridge. */
export async function connectHost(plan: LabPlan, host: LabHost, signal: AbortSignal): Promise<void> {
  await systemCommand(['ip', 'netns', 'add', host.machine], { signal });
  await batch(plan.network, cableCommands(host), signal);
  await batch(host.machine, hostCommands(host), signal);
}

/** The names of the cables in the bridge, which are those of hosts; none where there is no bridge. */
export async function listPorts(plan: LabPlan, signal: AbortSignal): Promise<readonly string[]> {
  if (!(await hasNetwork(plan, signal))) return [];
  const shown = await systemCommand(['ip', '-netns', plan.network, '-brief', 'link', 'show'], { signal });
  return shown.split('\n').flatMap((line) => /^([^@\s]+)@/.exec(line)?.[1] ?? []);
}

/** Takes a host's cable out of the bridge, if it is in. */
export async function unplug(plan: LabPlan, hostName: string, signal: AbortSignal): Promise<void> {
  if (!(await listPorts(plan, signal)).includes(hostName)) return;
  await systemCommand(['ip', '-netns', plan.network, 'link', 'delete', hostName], { signal });
}

export async function removeNamespace(name: string, signal: AbortSignal): Promise<void> {
  await systemCommand(['ip', 'netns', 'delete', name], { signal });
}

/** The processes whose network is that namespace. */
export async function pidsInNamespace(name: string, signal: AbortSignal): Promise<readonly number[]> {
  const listed = await systemCommand(['ip', 'netns', 'pids', name], { signal });
  return listed.split('\n').filter(Boolean).map(Number);
}

async function batch(namespace: string, lines: readonly string[], signal: AbortSignal): Promise<void> {
  await systemCommand(['ip', '-netns', namespace, '-batch', '-'], { input: `${lines.join('\n')}\n`, signal });
}
