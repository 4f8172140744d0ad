import type { HostPlan } from './deploy-plan.ts';
import { type DeployReport, type HostReport, isWhole } from './deploy-report.ts';
import { describeUpload } from './prepare.ts';
import type { Problem } from './problem.ts';

const short = (digest: string | null) => digest?.slice(0, 12) ?? '-';

/** The report as a person reads it: one line per host, then everything that is not as it should be. */
export function renderReport(report: DeployReport, tookMs: number): string {
  const { hosts, acknowledged, pairs, artifact } = report;
  const lines = renderHosts(hosts);
  const mesh = `${acknowledged}/${pairs} directed connections proven by an acknowledged message`;
  const verdict = isWhole(report) ? 'deployed' : 'NOT as asked for';
  return `${lines}${renderProblems(report.problems)}artifact ${short(artifact)}: ${verdict}; ${mesh}; ${(tookMs / 1_000).toFixed(1)} s\n`;
}

export function renderHosts(hosts: readonly HostReport[]): string {
  const width = Math.max(4, ...hosts.map(({ host }) => host.length));
  return hosts
    .map(({ host, outcome, version, problems }) => {
      const line = `${host.padEnd(width)}  ${outcome.padEnd(13)}  ${short(version)}\n`;
      return line + renderProblems(problems);
    })
    .join('');
}

function renderProblems(problems: readonly Problem[]): string {
  return problems.map(({ code, message }) => `  ${code}  ${message}\n`).join('');
}

/** What a deployment would do. */
export function renderPlan(plans: readonly HostPlan[], unseen: readonly Problem[]): string {
  const blocks = plans.map(({ host, change, fromVersion, release, steps, refusals }) => {
    const what =
      change === 'none' ? 'nothing to do' : `${change}: ${short(fromVersion)} -> ${short(release.version)}`;
    const lines = steps.map((step) => {
      if (step.do === 'install_version') return `    ${describeUpload(step.upload.length, step.uploadBytes)}`;
      if (step.do === 'write_release') return `    write the configuration (release ${short(release.id)})`;
      if (step.do === 'activate') return '    make it current, restart node and runner, verify, or roll back';
      if (step.do === 'start') return '    start node and runner, verify';
      return `    remove ${step.releases.length} old releases and ${step.versions.length} old versions`;
    });
    const refused = refusals.map(({ code, message }) => `    REFUSED ${code}: ${message}`);
    return [`${host}  ${what}`, ...lines, ...refused].join('\n');
  });
  const lost = unseen.map(({ host, code, message }) => `${host}  not reached\n    ${code}: ${message}`);
  return `${[...blocks, ...lost].join('\n')}\n`;
}
