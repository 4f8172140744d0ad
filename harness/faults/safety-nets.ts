import type { Safety, SafetyNet } from '../../proofs/safety-schema.ts';
import { type FaultRequest, thirdOf } from '../../scenarios/faults.ts';
import type { PlannedFleet } from '../../scenarios/scenario.ts';
import { faultedNodes, HARM_OF, hostsOf } from './fault-leases.ts';

/** The flag that allows each kind of harm. */
export const ALLOW_FLAGS = {
  netem: '--allow-netem',
  partition: '--allow-partition',
  restart: '--allow-restart-storm',
  pause: '--allow-pause',
} as const;

/** The flag that waives each safety net. */
export const WAIVE_FLAGS: Readonly<Record<SafetyNet, string>> = {
  anchor: '--waive-anchor',
  third: '--waive-third',
  one_per_host: '--waive-one-per-host',
};

/** Why a fault may not be made, and the flag that would allow it. */
export interface Refusal {
  readonly why: string;
  readonly flag: string;
}

/**
 * What forbids `request` while `active` are in force; null when nothing does. Pure: asked before the run of every planned
 * fault, and again when a scenario makes it.
 */
export function refusalOf(
  request: FaultRequest,
  active: readonly FaultRequest[],
  fleet: PlannedFleet,
  { allowed, waived }: Pick<Safety, 'allowed' | 'waived'>,
): Refusal | null {
  const harm = HARM_OF[request.kind];
  if (!allowed.includes(harm)) {
    return { why: `a ${request.kind} needs leave to do harm of kind ${harm}`, flag: ALLOW_FLAGS[harm] };
  }
  const holds = (net: SafetyNet) => !waived.includes(net);
  const faulted = faultedNodes(request, fleet.anchor);
  if (holds('anchor') && faulted.includes(fleet.anchor)) {
    return { why: `it faults the anchor ${fleet.anchor}`, flag: WAIVE_FLAGS.anchor };
  }
  const all = new Set([...active.flatMap((other) => faultedNodes(other, fleet.anchor)), ...faulted]);
  const limit = thirdOf(fleet.nodes);
  if (holds('third') && all.size > limit) {
    const why = `it faults ${all.size} of ${fleet.nodes.length} nodes at once, at most a third (${limit}) may be`;
    return { why, flag: WAIVE_FLAGS.third };
  }
  const busy = new Set(active.flatMap(hostsOf));
  const shared = hostsOf(request).find((host) => busy.has(host));
  if (holds('one_per_host') && shared !== undefined) {
    return { why: `${shared} carries another fault`, flag: WAIVE_FLAGS.one_per_host };
  }
  return null;
}
