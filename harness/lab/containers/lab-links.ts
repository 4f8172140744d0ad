import { isAbsolute, resolve } from 'node:path';
import { FaultError, messageOf } from '../../../kit/errors.ts';
import type { LinkPlan } from '../links/link-plan.ts';
import { loadLinks } from '../links/load-links.ts';
import { openLab } from './lab.ts';
import { lockLab } from './lab-lock.ts';
import { checkRoot } from './lab-needs.ts';
import type { LabPlan } from './lab-plan.ts';
import { LabRecord } from './lab-record.ts';
import { linkCommands } from './link-commands.ts';
import { systemCommand } from './system-command.ts';

export const NO_LINKS = 'none';
const NETEM_TRIAL = `
tc qdisc add dev lo root handle 1: htb default 0
tc class add dev lo parent 1: classid 1:1 htb rate 10gbit quantum 60000
tc filter add dev lo parent 1: protocol ip u32 match ip src 192.0.2.1/32 flowid 1:1
tc qdisc add dev lo parent 1:1 netem delay 10ms 1ms distribution normal`;

/** The link profile of the lab in `dir`, and what it means between its hosts; no plan when links are direct. */
export async function linksOfLab(dir: string): Promise<{ profile: string; plan: LabPlan; links?: LinkPlan }> {
  const { plan, state } = await openLab(dir);
  if (state.links === NO_LINKS) return { profile: NO_LINKS, plan };
  return { profile: state.links, plan, links: await loadHostLinks(plan, state.links) };
}

/**
 * Gives the links between the hosts of the lab in `dir` the figures of a profile, or takes them away (`none`).
 * @throws UsageError for a profile that cannot be
 * @throws FaultError `LAB_NEEDS` when the kernel has no netem; the links then stay as they are
 */
export async function setLinks(dir: string, profile: string, signal: AbortSignal): Promise<void> {
  checkRoot();
  await using _ = await lockLab((await openLab(dir)).plan.dir, { signal });
  const lab = await openLab(dir); // as whoever held the lock before has left it
  const asked = profile.includes('/') && !isAbsolute(profile) ? resolve(profile) : profile;
  const links = asked === NO_LINKS ? undefined : await loadHostLinks(lab.plan, asked);
  if (links !== undefined) await checkNetem(signal);
  const record = new LabRecord(lab.plan, lab.state);
  await record.noteLinks(asked);
  await applyLinks(lab.plan, links, signal);
}

/** Does again what `setLinks` did, for hosts that were started since. */
export async function restoreLinks(plan: LabPlan, profile: string, signal: AbortSignal): Promise<void> {
  if (profile === NO_LINKS) return;
  await applyLinks(plan, await loadHostLinks(plan, profile), signal);
}

async function loadHostLinks(plan: LabPlan, profile: string): Promise<LinkPlan> {
  return await loadLinks(
    profile,
    plan.hosts.map(({ name }) => name),
  );
}

async function applyLinks(plan: LabPlan, links: LinkPlan | undefined, signal: AbortSignal): Promise<void> {
  for (const to of plan.hosts) {
    const port = ['tc', '-netns', plan.network] as const;
    const now = await systemCommand([...port, 'qdisc', 'show', 'dev', to.name], { signal });
    if (now.includes('qdisc htb 1: root')) {
      await systemCommand([...port, 'qdisc', 'delete', 'dev', to.name, 'root'], { signal });
    }
    if (links === undefined) continue;
    const senders = plan.hosts
      .filter((host) => host !== to)
      .map((host) => ({ host, figures: links.figuresOf(host.name, to.name) }));
    const input = `${linkCommands(to, senders).join('\n')}\n`;
    await systemCommand([...port, '-batch', '-'], { input, signal });
  }
}

/** @throws FaultError `LAB_NEEDS` naming what the kernel lacks and what to do instead */
async function checkNetem(signal: AbortSignal): Promise<void> {
  try {
    await systemCommand(['unshare', '--net', 'sh', '-ec', NETEM_TRIAL], { signal });
  } catch (error) {
    signal.throwIfAborted();
    const said = error instanceof FaultError ? String(error.details.stderr).trim() : messageOf(error);
    throw new FaultError(
      'LAB_NEEDS',
      `this kernel cannot shape links: it needs sch_netem, sch_htb and cls_u32 (\`modprobe sch_netem\`, on Ubuntu from ` +
        `linux-modules-extra; tc says: ${said}); \`run --local N --links\` needs none of them`,
      { cause: error },
    );
  }
}
