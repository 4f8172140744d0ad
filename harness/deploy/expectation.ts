import type { Artifact } from './artifact.ts';
import type { Expected } from './judge-host.ts';
import type { Surveyed } from './survey.ts';

/** What a surveyed host must be once it has been changed over; `bootIdBefore` where its node must be a new process. */
export function expectationOf(
  { site, look, plan }: Surveyed,
  artifact: Artifact,
  bootIdBefore: string | null,
): Expected {
  return {
    target: site.target,
    artifact,
    release: plan.release,
    version: null,
    machineId: look.machineId,
    bootIdBefore,
  };
}
