import { codeOf, FaultError, UsageError } from '../../../kit/errors.ts';
import type { LinkPlan } from '../links/link-plan.ts';
import { ControlGroups } from './control-groups.ts';
import { openLab } from './lab.ts';
import { keepLinks } from './lab-lock.ts';
import { checkRoot } from './lab-needs.ts';
import { hasNetwork } from './lab-network.ts';
import type { LabPlan } from './lab-plan.ts';
import { checkLinks } from './link-driver.ts';
import { hostLinks } from './port-links.ts';
import { RouterWatch } from './router-watch.ts';

/** Hosts of an inventory that says that they are machines of a lab. */
export interface LabMembers {
  /** The inventory, for messages. */
  readonly source: string;
  readonly dir: string;
  readonly hosts: readonly { readonly name: string; readonly meshAddress: string }[];
}

/** The links between them, which nobody changes until it is disposed of; `undefined` where the lab has none. */
export interface HeldLinks extends AsyncDisposable {
  readonly links: LinkPlan | undefined;
  /** `listener` is told when what carries them ends. */
  onBroken(listener: (error: FaultError) => void): void;
}

/**
 * Takes what the lab says of the links between its machines for the length of a run, as far as it can be relied upon.
 * @throws UsageError `NO_LAB`, `LAB_STRANGER` naming inventory, field, value and what was expected
 * @throws FaultError `LAB_OFF`, `LAB_LINKS_UNFINISHED`, `LAB_LINKS_DIFFER`, `LAB_BUSY`
 */
export async function holdLinks(members: LabMembers, signal: AbortSignal): Promise<HeldLinks> {
  checkRoot();
  const lock = await keepLinks((await labOf(members)).plan.dir, { signal });
  try {
    const { plan, state } = await labOf(members); // as whoever changed it before has left it
    const { profile, stage } = state.links;
    if (stage === 'changing') {
      throw new FaultError(
        'LAB_LINKS_UNFINISHED',
        `the links of the lab in ${plan.dir} are set on some machines only: the last \`lab links\` or \`lab up\` did not ` +
          `finish; \`lab links --profile ${profile?.name ?? 'none'} --dir ${plan.dir}\` does`,
      );
    }
    if (!(await hasNetwork(plan, signal))) {
      throw new FaultError(
        'LAB_OFF',
        `the lab in ${plan.dir} is off: \`lab up --dir ${plan.dir}\` starts it`,
      );
    }
    const links = hostLinks(plan, profile);
    const { router } = await checkLinks(plan, links, await ControlGroups.find(), signal);
    const ofMembers = linksOfMembers(plan, links, members);
    const watch = router === undefined ? undefined : new RouterWatch(router, plan.routerLog);
    return {
      links: ofMembers,
      onBroken: (listener) => watch?.onBroken(listener),
      [Symbol.asyncDispose]: async () => {
        watch?.[Symbol.dispose]();
        await lock[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * The links of a lab in the words of an inventory, whose names for the machines may be others: the address decides.
 * @throws UsageError `LAB_STRANGER`
 */
export function linksOfMembers(
  { dir, hosts }: Pick<LabPlan, 'dir' | 'hosts'>,
  links: LinkPlan | undefined,
  members: LabMembers,
): LinkPlan | undefined {
  const machines = new Map(
    members.hosts.map(({ name, meshAddress }) => {
      const machine = hosts.find(({ address, address6 }) => [address, address6].includes(meshAddress));
      if (machine !== undefined) return [name, machine.name] as const;
      throw new UsageError(
        'LAB_STRANGER',
        `${members.source}: mesh_address of "${name}" is "${meshAddress}": expected that of a machine of the lab in ` +
          `${dir} (${hosts.map(({ address }) => address).join(', ')}), or no [lab]`,
        { details: { file: members.source, host: name, address: meshAddress } },
      );
    }),
  );
  if (links === undefined) return undefined;
  const machineOf = (name: string) => machines.get(name) ?? name;
  const placed = [...machines].flatMap(([name, machine]) => {
    const region = links.regions.get(machine);
    return region === undefined ? [] : [[name, region] as const];
  });
  return {
    name: links.name,
    regions: new Map(placed),
    figuresOf: (from, to) => links.figuresOf(machineOf(from), machineOf(to)),
  };
}

async function labOf({ source, dir }: LabMembers) {
  return await openLab(dir).catch((error: unknown) => {
    if (codeOf(error) !== 'NO_LAB') throw error;
    throw new UsageError(
      'NO_LAB',
      `${source}: lab.dir is "${dir}": expected the directory of a lab; \`lab up --dir ${dir}\` makes one`,
      { details: { file: source, dir }, cause: error },
    );
  });
}
