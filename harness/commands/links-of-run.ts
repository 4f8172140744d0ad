import { scenarioNamed } from '../../scenarios/registry.ts';
import { harmOf } from '../../scenarios/scenario.ts';
import { type Inventory, meshHosts } from '../fleet/inventory.ts';
import type { HeldLinks } from '../lab/containers/hold-links.ts';
import { type LinkPlan, sealedLinks } from '../lab/links/link-plan.ts';
import { DIRECT_LINKS, loadLinks } from '../lab/links/load-links.ts';
import type { RunOptions } from '../run/run-options.ts';
import type { RunArguments } from './run-flags.ts';

/** Harm that on a local mesh only the link agent can do, and undo when the harness dies. */
const BY_THE_AGENT: readonly (string | null)[] = ['netem', 'partition', 'pause'];

/**
 * The links of a local mesh: those of `--links`, or ones that do nothing where a scenario needs a place for its faults;
 * `undefined` where the nodes may reach each other directly.
 * @throws UsageError what is wrong with `--links` or its file, and where
 */
export async function linksOfRun(
  { links }: Pick<RunArguments, 'links'>,
  { nodes, scenarios }: Pick<RunOptions, 'nodes' | 'scenarios'>,
): Promise<LinkPlan | undefined> {
  const needsAgent = scenarios.some(({ name, options }) =>
    BY_THE_AGENT.includes(harmOf(scenarioNamed(name), options)),
  );
  const wanted = links ?? (needsAgent ? DIRECT_LINKS : undefined);
  if (wanted === undefined) return undefined;
  return await loadLinks(
    wanted,
    nodes.map(({ name }) => name),
  );
}

/**
 * The links of a lab whose machines the hosts of `inventory` are, which nobody changes until they are disposed of;
 * `undefined` where they are no lab's, and whatever lies between them is theirs.
 * @throws what `holdLinks` throws
 */
export async function linksOfLabRun(
  inventory: Inventory,
  signal: AbortSignal,
): Promise<HeldLinks | undefined> {
  const { labDir: dir, source } = inventory;
  if (dir === null) return undefined;
  const { holdLinks } = await import('../lab/containers/hold-links.ts'); // of no use to other runs
  return await holdLinks({ source, dir, hosts: meshHosts(inventory) }, signal);
}

/** What the links of a mesh are to its plan: the nodes in their places, and the figures of every pair. */
export function linked(
  nodes: RunOptions['nodes'],
  links: LinkPlan | undefined,
): Pick<RunOptions, 'nodes' | 'links'> {
  if (links === undefined) return { nodes };
  const names = nodes.map(({ name }) => name);
  return {
    nodes: nodes.map(({ name, region }) => ({ name, region: links.regions.get(name) ?? region })),
    links: sealedLinks(links, names),
  };
}
