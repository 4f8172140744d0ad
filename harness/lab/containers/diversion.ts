import type { LabPlan } from './lab-plan.ts';
import { systemCommand } from './system-command.ts';

const TABLE = 'meshproof-links'; // of nft
const ROUTES = '213'; // a table of routes in the lab's namespace, where nobody else has one
const LAST_RESORT = '4000'; // a metric: behind that of the device, which goes when its router goes
const MTU = 1_500; // as the hosts' own cards
/** A burst of 15 MB may wait for a router that is behind, as in the buffers that nodes ask for. */
const QUEUE_PACKETS = 10_000;

/** The device by which the packets of hosts come to the link router. */
export const ROUTER_DEVICE = 'links';

/**
 * Gives what hosts send each other to the IP stack of the lab's side, and that sends it to the router's device, or nowhere
 * where there is none: hosts whose router died are cut from each other, never near. Neighbours are found over the bridge,
 * as ever; their packets bear the hop limit of one link. What hosts and the lab's side send each other (SSH) is not touched.
 */
export function diversionRules(gatewayMac: string): string {
  return `add table bridge ${TABLE}
delete table bridge ${TABLE}
table bridge ${TABLE} {
  chain between-hosts {
    type filter hook prerouting priority -300; policy accept;
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    iifname "lab*" meta pkttype other ether type { ip, ip6 } meta pkttype set host ether daddr set ${gatewayMac} counter
  }
}
`;
}

/** For `sh` in a network namespace that has a `br0`; the same again does no harm. */
export const ROUTES_SCRIPT = `
for of in all default; do echo 0 > /proc/sys/net/ipv4/conf/$of/rp_filter; done
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
for family in -4 -6; do
  ip $family route replace blackhole default metric ${LAST_RESORT} table ${ROUTES}
  ip $family rule list | grep -q 'iif br0 lookup ${ROUTES}' || ip $family rule add iif br0 lookup ${ROUTES}
done
`;

const DEVICE_SCRIPT = `
ip link set dev ${ROUTER_DEVICE} addrgenmode none
ip link set dev ${ROUTER_DEVICE} mtu ${MTU} txqueuelen ${QUEUE_PACKETS} up
for family in -4 -6; do ip $family route replace default dev ${ROUTER_DEVICE} table ${ROUTES}; done
`;

/** What the kernel has no table of is said in place of it: then there is none. */
const LOOK_SCRIPT = `
nft list tables 2>&1 || true
for family in -4 -6; do ip $family rule list; ip $family route show table ${ROUTES} 2>&1 || true; done
`;

/** What must stand for packets to go by the router: in both families. */
const RULE = new RegExp(`iif br0 lookup ${ROUTES}`, 'g');
const ROUTE = new RegExp(`^default dev ${ROUTER_DEVICE} `, 'gm');
const FAMILIES = 2;

/** `broken`: hosts are cut from each other, or not all that they send goes by the router. */
export type Diversion = 'none' | 'whole' | 'broken';

/** Whether hosts' packets go by a router, from the words of nft and ip. */
export function readDiversion(shown: string): Diversion {
  if (!shown.includes(`table bridge ${TABLE}`)) return 'none';
  const counts = [RULE, ROUTE].map((pattern) => shown.match(pattern)?.length ?? 0);
  return counts.every((count) => count === FAMILIES) ? 'whole' : 'broken';
}

export async function lookAtDiversion({ network }: LabPlan, signal: AbortSignal): Promise<Diversion> {
  return readDiversion(await systemCommand(inside(network, LOOK_SCRIPT), { signal }));
}

/** From now on hosts' packets reach each other by the router's device only. */
export async function divert({ network, gatewayMac }: LabPlan, signal: AbortSignal): Promise<void> {
  const input = diversionRules(gatewayMac);
  await systemCommand(inside(network, `${ROUTES_SCRIPT}\nnft -f -`), { input, signal });
}

/** Hosts are as near again as the bridge between them. The routes stay: without the rules nothing comes by them. */
export async function undivert({ network }: LabPlan, signal: AbortSignal): Promise<void> {
  const input = `add table bridge ${TABLE}\ndelete table bridge ${TABLE}\n`;
  await systemCommand(inside(network, 'nft -f -'), { input, signal });
}

/** Switches the router's device on, which is there as long as the router. */
export async function routeByDevice({ network }: LabPlan, signal: AbortSignal): Promise<void> {
  await systemCommand(inside(network, DEVICE_SCRIPT), { signal });
}

function inside(namespace: string, script: string): [string, ...string[]] {
  return ['nsenter', `--net=/run/netns/${namespace}`, 'sh', '-ec', script];
}
