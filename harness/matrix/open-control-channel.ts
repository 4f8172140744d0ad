import type { Fleet } from '../fleet/mesh-host.ts';
import type { ControlChannel, ControlTarget } from './control-channel.ts';
import { openLoopbackControl } from './control-loopback.ts';
import { openMeshControl } from './control-mesh.ts';
import type { OperatorKey } from './operator-key.ts';
import type { Identity } from './phase-a.ts';

const ATTACH_BUDGET_MS = 15_000;

/** The way to the runners that the plan names. */
export async function openControlChannel(
  kind: 'loopback' | 'mesh',
  modules: {
    readonly fleet: Fleet;
    readonly identities: ReadonlyMap<string, Identity>;
    readonly operator: OperatorKey;
  },
  signal: AbortSignal,
): Promise<ControlChannel> {
  const { fleet, identities, operator } = modules;
  const targets = fleet.hosts.map(({ name, runner }) => ({ ...runner, ...targetOf(name, identities) }));
  if (kind === 'loopback') return openLoopbackControl(targets, { operator });
  const anchor = targetOf(fleet.anchor.name, identities);
  return await openMeshControl(
    targets,
    { anchor: fleet.anchor.node, anchorAid: anchor.agentId, anchorNode: anchor.node, operator },
    { budgetMs: ATTACH_BUDGET_MS, signal },
  );
}

function targetOf(node: string, identities: ReadonlyMap<string, Identity>): ControlTarget {
  const identity = identities.get(node);
  if (!identity) throw new Error(`${node} was never identified`);
  return { node, ...identity };
}
