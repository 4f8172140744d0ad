import { scenarioNamed } from '../../scenarios/registry.ts';
import { harmOf } from '../../scenarios/scenario.ts';
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

/** What the links of a local mesh are to its plan: the nodes in their places, and the figures of every pair. */
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
