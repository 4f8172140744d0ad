import { scenarioNamed } from '../../scenarios/registry.ts';
import { harmOf } from '../../scenarios/scenario.ts';
import type { LinkPlan } from '../lab/links/link-plan.ts';
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

/** The nodes with the places that the links put them in. */
export function placedNodes(nodes: RunOptions['nodes'], links: LinkPlan | undefined): RunOptions['nodes'] {
  return nodes.map(({ name, region }) => ({ name, region: links?.regions.get(name) ?? region }));
}
