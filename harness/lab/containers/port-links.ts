import { FaultError } from '../../../kit/errors.ts';
import type { LinkPlan } from '../links/link-plan.ts';
import { type LinkText, linksFrom } from '../links/load-links.ts';
import { listPorts } from './lab-network.ts';
import type { LabHost, LabPlan } from './lab-plan.ts';
import { linkCommands } from './link-commands.ts';
import { systemCommand, whyNot } from './system-command.ts';

const NETEM_TRIAL = `
tc qdisc add dev lo root handle 1: htb default 0
tc class add dev lo parent 1: classid 1:1 htb rate 10gbit quantum 60000
tc filter add dev lo parent 1: protocol ip u32 match ip src 192.0.2.1/32 flowid 1:1
tc qdisc add dev lo parent 1:1 netem delay 10ms 1ms distribution normal`;

/**
 * What a profile means between the hosts of a lab; `undefined` for none.
 * @throws UsageError where it does not fit them
 */
export function hostLinks({ hosts }: LabPlan, profile: LinkText | null): LinkPlan | undefined {
  if (profile === null) return undefined;
  return linksFrom(
    profile,
    hosts.map(({ name }) => name),
  );
}

/** Gives the port of `to` in the bridge the links from all other hosts, on or off, in place of those it had. */
export async function shapePort(
  plan: LabPlan,
  to: LabHost,
  links: LinkPlan | undefined,
  signal: AbortSignal,
): Promise<void> {
  const port = ['tc', '-netns', plan.network] as const;
  const now = await systemCommand([...port, 'qdisc', 'show', 'dev', to.name], { signal });
  if (now.includes('qdisc htb 1: root')) {
    await systemCommand([...port, 'qdisc', 'delete', 'dev', to.name, 'root'], { signal });
  }
  const commands = commandsFor(plan, to, links);
  if (commands.length === 0) return;
  await systemCommand([...port, '-batch', '-'], { input: `${commands.join('\n')}\n`, signal });
}

/** The same for all hosts that have a port; the others get their links before they are switched on. */
export async function shapePorts(
  plan: LabPlan,
  links: LinkPlan | undefined,
  signal: AbortSignal,
): Promise<void> {
  const ports = await listPorts(plan, signal);
  for (const host of plan.hosts) {
    if (ports.includes(host.name)) await shapePort(plan, host, links, signal);
  }
}

/** Whether `links` change anything between the hosts. */
export function doNothing(plan: LabPlan, links: LinkPlan | undefined): boolean {
  return plan.hosts.every((host) => commandsFor(plan, host, links).length === 0);
}

/** What the kernel lacks to shape links by netem, in the words of tc; `undefined` when it can. */
export async function whyNoNetem(signal: AbortSignal): Promise<string | undefined> {
  return await whyNot(['unshare', '--net', 'sh', '-ec', NETEM_TRIAL], signal);
}

/**
 * Makes sure that the ports bear as many queues as `links` mean: somebody with tc may have been there.
 * @param name of what was set, for the message
 * @throws FaultError `LAB_LINKS_DIFFER` naming the host, what its port bears and what it should
 */
export async function checkPorts(
  plan: LabPlan,
  links: LinkPlan | undefined,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const shown = await systemCommand(['tc', '-netns', plan.network, 'qdisc', 'show'], { signal });
  const queues = queuesByPort(shown);
  for (const host of plan.hosts) {
    const expected = commandsFor(plan, host, links).filter((line) => line.includes(' netem ')).length;
    const found = queues.get(host.name) ?? 0;
    if (found === expected) continue;
    throw new FaultError(
      'LAB_LINKS_DIFFER',
      `the way to ${host.name} has ${found} queues of netem: expected ${expected}, as links "${name}" were set; ${setAgain(plan, name)}`,
      { details: { host: host.name, found, expected } },
    );
  }
}

/** What to do about links that are not as they were set. */
export function setAgain({ dir }: LabPlan, profile: string): string {
  return `\`lab links --profile ${profile} --dir ${dir}\` sets them again`;
}

/** How many netem queues each interface has, from `tc qdisc show`. */
export function queuesByPort(shown: string): ReadonlyMap<string, number> {
  const queues = new Map<string, number>();
  for (const [, port = ''] of shown.matchAll(/^qdisc netem \S+ dev (\S+) /gm)) {
    queues.set(port, (queues.get(port) ?? 0) + 1);
  }
  return queues;
}

function commandsFor({ hosts }: LabPlan, to: LabHost, links: LinkPlan | undefined): readonly string[] {
  if (links === undefined) return [];
  const senders = hosts.filter((host) => host !== to);
  return linkCommands(
    to,
    senders.map((host) => ({ host, figures: links.figuresOf(host.name, to.name) })),
  );
}
