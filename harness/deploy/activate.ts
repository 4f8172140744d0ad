import * as z from 'zod';
import { DEPLOYED_PATHS, DEPLOYED_UNITS } from '../fleet/deployed-host.ts';
import type { Host } from '../fleet/host.ts';
import { deployError } from './problem.ts';
import type { Release } from './release.ts';
import { IN_THE_WAY, type RemoteScript, runScript, type StepLimits } from './remote-script.ts';
import { SYSUSERS_FILE } from './unit-files.ts';

const { versions, releases, incoming, current, previous, config, units, identity } = DEPLOYED_PATHS;
const UNITS = `${DEPLOYED_UNITS.node} ${DEPLOYED_UNITS.runner}`;
const STEP_BUDGET_MS = 30_000;
// Stopping takes up to 10 s, becoming ready up to 60 s by the units.
const UNIT_BUDGET_MS = 80_000;

const KEPT_WORDS = 3;
const WORDS_MAX_CHARS = 160;
const logLine = z
  .string()
  .transform((line, context) => {
    try {
      return JSON.parse(line) as unknown;
    } catch {
      context.addIssue('no JSON');
      return z.NEVER;
    }
  })
  .pipe(z.object({ msg: z.string(), why: z.string().optional() }));

/** Arguments: release id, digest of the version. Its files have been put into `<id>.installing`. */
const WRITE_RELEASE: RemoteScript = {
  does: 'write the release',
  text: `
target=${releases}/$1
ln -s "../../versions/$2" "$target.installing/program"
chmod 0755 "$target.installing" "$target.installing/etc"
rm -rf "$target.old"
if [ -e "$target" ]; then mv -T "$target" "$target.old"; fi
mv -T "$target.installing" "$target"
rm -rf "$target.old"
`,
};
const MAKE_STAGING: RemoteScript = {
  does: 'write the release',
  text: `rm -rf "${releases}/$1.installing"; mkdir -p "${releases}/$1.installing/etc"\n`,
};

/** Argument: release id. Programs, configuration and units change together; `previous` is what was current. */
const ACTIVATE: RemoteScript = {
  does: 'make the release the current one',
  text: `
release=${releases}/$1
systemd-sysusers "$release/program/units/${SYSUSERS_FILE}"
if [ -L ${config} ] && [ "$(readlink ${config})" = ${current}/etc ]; then :
elif [ -e ${config} ] || [ -L ${config} ]; then echo "${config} is not of meshproof" >&2; exit ${IN_THE_WAY}
else ln -s ${current}/etc ${config}; fi
for unit in ${UNITS}; do install -m 0644 "$release/program/units/$unit" "${units}/.$unit.new"; mv "${units}/.$unit.new" "${units}/$unit"; done
was=$(readlink ${current} || true)
if [ -n "$was" ] && [ "$was" != "releases/$1" ]; then ln -sfn "$was" ${previous}.new; mv -T ${previous}.new ${previous}; fi
ln -sfn "releases/$1" ${current}.new; mv -T ${current}.new ${current}
touch "$release"
systemctl enable --quiet --no-reload ${UNITS}
systemctl daemon-reload
systemctl reset-failed ${UNITS} 2>/dev/null || true
`,
};

const DEACTIVATE: RemoteScript = {
  does: 'stop what was installed',
  text: `
systemctl disable --quiet --now ${UNITS} 2>/dev/null || systemctl stop ${UNITS}
systemctl reset-failed ${UNITS} 2>/dev/null || true
rm -f ${current}
`,
};

/** Arguments: a release that was rolled back from, and the one that was `previous` before it, or `-`. */
const FORGET: RemoteScript = {
  does: 'forget the failed release',
  text: `
rm -rf "${releases}/$1" "${releases}/$1".*
if [ "$2" != - ] && [ -d "${releases}/$2" ]; then ln -sfn "releases/$2" ${previous}.new; mv -T ${previous}.new ${previous}; else rm -f ${previous}; fi
`,
};

/** Arguments: `r:<release id>` and `v:<version digest>`. */
const PRUNE: RemoteScript = {
  does: 'remove old versions',
  text: `
for what in "$@"; do
  case $what in r:?*) rm -rf "${releases}/\${what#r:}" ;; v:?*) rm -rf "${versions}/\${what#v:}" "${incoming}/\${what#v:}".* ;; esac
done
`,
};

/** Writes the configuration of `release` beside the others; nothing that runs notices. */
export async function writeRelease(host: Host, release: Release, signal: AbortSignal): Promise<void> {
  const limits = { budgetMs: STEP_BUDGET_MS, signal };
  await runScript(host, MAKE_STAGING, [release.id], limits);
  const files = { 'node.toml': release.nodeToml, 'runner.toml': release.runnerToml };
  for (const [name, text] of Object.entries(files)) {
    const path = `${releases}/${release.id}.installing/etc/${name}`;
    await host.writeFile(path, Buffer.from(text), { mode: 0o644, as: 'root', ...limits });
  }
  await runScript(host, WRITE_RELEASE, [release.id, release.version], limits);
}

/** Makes `releaseId` the current release: what the units start from now on. What runs, runs on. */
export async function makeCurrent(host: Host, releaseId: string, signal: AbortSignal): Promise<void> {
  await runScript(host, ACTIVATE, [releaseId], { budgetMs: STEP_BUDGET_MS, signal });
}

/** Makes `releaseId` the current release and starts it anew. Resolves when systemd calls both units ready. */
export async function activate(host: Host, releaseId: string, signal: AbortSignal): Promise<void> {
  await makeCurrent(host, releaseId, signal);
  await control(host, 'restart', signal);
}

/**
 * Starts, restarts or stops both units and waits for it: the node before the runner, which would wait long for a node that
 * does not come up.
 * @throws FaultError `DEPLOY_UNIT_FAILED` with the last words of the units
 */
export async function control(
  host: Host,
  verb: 'start' | 'restart' | 'stop',
  signal: AbortSignal,
): Promise<void> {
  for (const unit of Object.values(DEPLOYED_UNITS)) {
    const options = { budgetMs: UNIT_BUDGET_MS, signal, as: 'root' } as const;
    const { code, stderr } = await host.exec(['systemctl', verb, unit], options);
    if (code === 0) continue;
    const words = await lastWords(host, unit, { budgetMs: STEP_BUDGET_MS, signal });
    const said = stderr.trim().split('\n')[0] ?? '';
    throw deployError('DEPLOY_UNIT_FAILED', host.name, `systemctl ${verb}: ${said} ${words}`.trim());
  }
}

/** What the processes of `unit` said last, without what systemd says of them. */
async function lastWords(host: Host, unit: string, limits: StepLimits): Promise<string> {
  const argv = [
    'journalctl',
    '--no-pager',
    '-q',
    '-n',
    `${KEPT_WORDS}`,
    '-o',
    'cat',
    `_SYSTEMD_UNIT=${unit}`,
  ];
  const { stdout } = await host.exec(argv, { ...limits, as: 'root' });
  const lines = stdout.split('\n').filter((line) => line.trim() !== '');
  return lines.length === 0 ? '' : `(its last words: ${lines.map(wordsOfLine).join(' | ')})`;
}

/** A line of a journal for a person; node and runner log JSON. */
export function wordsOfLine(line: string): string {
  const { msg, why } = logLine.safeParse(line).data ?? { msg: line };
  return (why === undefined ? msg : `${msg}: ${why}`).slice(0, WORDS_MAX_CHARS);
}

/** Takes a first installation that failed out of service; its files stay for the next attempt. */
export async function deactivate(host: Host, signal: AbortSignal): Promise<void> {
  await runScript(host, DEACTIVATE, [], { budgetMs: UNIT_BUDGET_MS, signal });
}

/** After a roll back: the failed release is not what a later `rollback` should lead to. */
export async function forgetRelease(
  host: Host,
  failed: string,
  previousId: string | null,
  signal: AbortSignal,
): Promise<void> {
  await runScript(host, FORGET, [failed, previousId ?? '-'], { budgetMs: STEP_BUDGET_MS, signal });
}

export async function prune(
  host: Host,
  {
    releases: old,
    versions: unused,
  }: { readonly releases: readonly string[]; readonly versions: readonly string[] },
  signal: AbortSignal,
): Promise<void> {
  const args = [...old.map((id) => `r:${id}`), ...unused.map((digest) => `v:${digest}`)];
  await runScript(host, PRUNE, args, { budgetMs: STEP_BUDGET_MS, signal });
}

/** Remembers on the host which machine its node was when it was first found whole. */
export async function rememberIdentity(host: Host, machineId: string, signal: AbortSignal): Promise<void> {
  const content = Buffer.from(`${machineId}\n`);
  await host.writeFile(identity, content, { mode: 0o644, as: 'root', budgetMs: STEP_BUDGET_MS, signal });
}
