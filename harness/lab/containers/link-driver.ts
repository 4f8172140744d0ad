import { FaultError } from '../../../kit/errors.ts';
import type { LinkPlan } from '../links/link-plan.ts';
import type { ControlGroups } from './control-groups.ts';
import { diversionRules, lookAtDiversion, ROUTER_DEVICE, ROUTES_SCRIPT } from './diversion.ts';
import { hasNetwork } from './lab-network.ts';
import type { LabPlan } from './lab-plan.ts';
import type { ProcessId } from './lab-state.ts';
import { checkPorts, doNothing, setAgain, shapePorts, whyNoNetem } from './port-links.ts';
import { findRouter, OPEN_TUN, routerConfig, startRouter, stopRouter } from './router-process.ts';
import { whyNot } from './system-command.ts';

/** What makes the links between hosts what they are; `bridge`: nothing does, they are as near as it. */
export type LinkDriver = 'bridge' | 'netem' | 'router';

/** As in a lab: arguments of `sh` are the rules, the program that opens a device, and the name of that. */
const ROUTER_TRIAL = `
command -v perl > /dev/null || { echo "perl is not installed; apt-get install perl-base brings it" >&2; exit 1; }
ip link add br0 type bridge
${ROUTES_SCRIPT}
printf %s "$1" | nft -f -
perl -e "$2" "$3" true`;

/**
 * What this machine can make `links` by: netem where the kernel has it.
 * @throws FaultError `LAB_NEEDS` naming what it lacks for either way
 */
export async function chooseDriver(
  plan: LabPlan,
  links: LinkPlan | undefined,
  signal: AbortSignal,
): Promise<LinkDriver> {
  if (doNothing(plan, links)) return 'bridge';
  const netem = await whyNoNetem(signal);
  if (netem === undefined) return 'netem';
  const trial = [
    'sh',
    '-ec',
    ROUTER_TRIAL,
    'trial',
    diversionRules(plan.gatewayMac),
    OPEN_TUN,
    ROUTER_DEVICE,
  ];
  const router = await whyNot(['unshare', '--net', ...trial], signal);
  if (router === undefined) return 'router';
  throw new FaultError(
    'LAB_NEEDS',
    `links between hosts need sch_netem, sch_htb and cls_u32 in the kernel (\`modprobe sch_netem\`, on Ubuntu from ` +
      `linux-modules-extra; tc says: ${netem}), or nftables for bridges, TUN devices and perl (${router}); ` +
      '`run --local N --links` needs none of them',
    { details: { netem, router } },
  );
}

/** Gives the hosts that are plugged in, on or off, `links` by that driver, in place of whatever they had. */
export async function applyLinks(
  plan: LabPlan,
  { links, driver }: { readonly links: LinkPlan | undefined; readonly driver: LinkDriver },
  groups: ControlGroups,
  signal: AbortSignal,
): Promise<void> {
  if (!(await hasNetwork(plan, signal))) return; // `lab up` does it
  await shapePorts(plan, driver === 'netem' ? links : undefined, signal);
  if (driver === 'router' && links !== undefined) await startRouter(plan, links, groups, signal);
  else await stopRouter(plan, groups, signal);
}

/** Links that were found to be as they were set. */
export interface StandingLinkDriver {
  readonly driver: LinkDriver;
  /** The process without which they end, where there is one. */
  readonly router: ProcessId | undefined;
}

/**
 * Asks the kernel, and the router where there is one, whether `links` are what stands between the hosts.
 * @throws FaultError `LAB_LINKS_DIFFER` naming what stands instead
 */
export async function checkLinks(
  plan: LabPlan,
  links: LinkPlan | undefined,
  groups: ControlGroups,
  signal: AbortSignal,
): Promise<StandingLinkDriver> {
  const name = links?.name ?? 'none';
  const diversion = await lookAtDiversion(plan, signal);
  if (diversion === 'none') {
    await checkPorts(plan, links, name, signal);
    return { driver: doNothing(plan, links) ? 'bridge' : 'netem', router: undefined };
  }
  const router = await findRouter(plan, groups);
  const why = routerProblem(plan, links, diversion, router?.configSha256);
  if (why === undefined) {
    await checkPorts(plan, undefined, name, signal);
    return { driver: 'router', router: router?.process };
  }
  throw new FaultError('LAB_LINKS_DIFFER', `${why}: expected links "${name}"; ${setAgain(plan, name)}`, {
    details: { diversion, router: router?.process ?? null },
  });
}

/** Whether the router that stands, or none, is other than the one that `driver` would put there. */
export async function isRouterAmiss(
  plan: LabPlan,
  { links, driver }: { readonly links: LinkPlan | undefined; readonly driver: LinkDriver },
  groups: ControlGroups,
  signal: AbortSignal,
): Promise<boolean> {
  const diversion = await lookAtDiversion(plan, signal);
  if (driver !== 'router') return diversion !== 'none';
  const router = await findRouter(plan, groups);
  return diversion === 'none' || routerProblem(plan, links, diversion, router?.configSha256) !== undefined;
}

/**
 * Why a router is not what `links` mean; `undefined` when it is.
 * @param configSha256 of the router that runs, `undefined` when none does
 */
export function routerProblem(
  plan: LabPlan,
  links: LinkPlan | undefined,
  diversion: 'whole' | 'broken',
  configSha256: string | undefined,
): string | undefined {
  if (configSha256 === undefined) {
    return `the link router has ended, and hosts are cut from each other (see ${plan.routerLog})`;
  }
  if (links === undefined || doNothing(plan, links)) return 'a link router stands between the hosts';
  if (diversion === 'broken') return 'not all that hosts send each other goes by the link router';
  if (configSha256 !== routerConfig(plan, links).sha256) return 'the link router has other figures';
  return undefined;
}
