import type { HostPlan } from './deploy-plan.ts';
import { type DeployReport, type HostReport, isWhole } from './deploy-report.ts';
import { describeUpload } from './prepare.ts';
import type { Problem } from './problem.ts';

const short = (digest: string | null) => digest?.slice(0, 12) ?? '-';

/** The report as a person reads it: one line per host, then everything that is not as it should be. */
export function renderReport(report: DeployReport, tookMs: number): string {
  const { hosts, acknowledged, pairs, artifact, unanswered } = report;
  const there = hosts.filter(({ version }) => version === artifact).length;
  const verdict = isWhole(report) ? 'as asked for' : 'NOT as asked for';
  const mesh =
    pairs === 0
      ? 'no connection to prove'
      : `${acknowledged} of ${pairs} directed connections proven by an acknowledged message`;
  const lines = [
    `${verdict}: ${there} of ${hosts.length} hosts run artifact ${short(artifact)}; ${mesh}; ${(tookMs / 1_000).toFixed(1)} s`,
    ...(unanswered.length > 0
      ? [`not looked at: connections with ${unanswered.join(', ')}, where no node answers`]
      : []),
    ...(isWhole(report) ? [] : whatNow(hosts)),
  ];
  return `${renderHosts(hosts)}${renderProblems(report.problems)}${lines.join('\n')}\n`;
}

/** What the operator has in hand after a deployment that did not succeed everywhere. */
function whatNow(hosts: readonly HostReport[]): readonly string[] {
  const changed = hosts.filter(({ outcome }) => outcome === 'upgraded').map(({ host }) => `--host ${host}`);
  const back = changed.length === 0 ? '' : `; "rollback ${changed.join(' ')}" takes back what was changed`;
  return [`mend that and deploy again: what is done is kept and not done twice${back}`];
}

export function renderHosts(hosts: readonly HostReport[]): string {
  const width = Math.max(4, ...hosts.map(({ host }) => host.length));
  return hosts
    .map(({ host, outcome, version, problems }) => {
      const line = `${host.padEnd(width)}  ${outcome.replaceAll('_', ' ').padEnd(13)}  ${short(version)}\n`;
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
