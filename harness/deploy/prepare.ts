import { writeRelease } from './activate.ts';
import type { DeployEvent } from './deploy-report.ts';
import { installVersion } from './install-version.ts';
import type { PackedParts } from './packed-parts.ts';
import type { Surveyed } from './survey.ts';

/** Takes the steps of a plan that nothing running notices: the files of the version, and the release beside the others. */
export async function prepare(
  { site, plan }: Surveyed,
  parts: PackedParts,
  tell: (event: DeployEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const step of plan.steps) {
    if (step.do === 'install_version') {
      tell({ event: 'step', host: site.name, text: describeUpload(step.upload.length, step.uploadBytes) });
      await installVersion(site.host, parts, step, signal);
    } else if (step.do === 'write_release') {
      await writeRelease(site.host, plan.release, signal);
    }
  }
}

/** One line for a person. */
export function describeUpload(files: number, bytes: number): string {
  if (files === 0) return 'install the version from files that are there';
  return `send ${files} ${files === 1 ? 'file' : 'files'} (${(bytes / 1e6).toFixed(1)} MB before packing) and install the version`;
}
