import { ROOT_HANDLE } from '../../runner/faults/names.ts';
import { DEPLOYED_PATHS, DEPLOYED_UNITS, DEPLOYED_USERS } from '../fleet/deployed-host.ts';
import type { Host } from '../fleet/host.ts';
import { type RemoteScript, runScript } from './remote-script.ts';

const { home, config, units, nodeState, runnerState, nodeBinary, faultProgram } = DEPLOYED_PATHS;
const UNITS = Object.values(DEPLOYED_UNITS).join(' ');
const USERS = Object.values(DEPLOYED_USERS).join(' ');
const BUDGET_MS = 120_000;

// Faults first, by the program that knows them; then by name, should it be gone.
const REMOVE: RemoteScript = {
  does: 'remove what was installed',
  text: `
set +e
if [ -x ${nodeBinary} ] && [ -f ${faultProgram} ]; then echo '{"heal":true}' | ${nodeBinary} ${faultProgram} doctor --heal >/dev/null 2>&1; fi
systemctl disable --now --quiet ${UNITS} 2>/dev/null
for timer in $(systemctl list-units --all --plain --no-legend 'meshproof-*' 2>/dev/null | cut -d' ' -f1); do systemctl stop "$timer"; done
if command -v nft >/dev/null; then
  nft list tables 2>/dev/null | while read -r _ family name; do case $name in meshproof|meshproof_*) nft delete table "$family" "$name" ;; esac; done
fi
for unit in ${UNITS}; do rm -rf "${units}/$unit" "${units}/$unit.d" "/run/systemd/system/$unit.d"; done
systemctl daemon-reload
systemctl reset-failed 'meshproof-*' 2>/dev/null
[ -L ${config} ] && [ "$(readlink ${config})" = ${home}/current/etc ] && rm -f ${config}
set -e
rm -rf ${home} ${nodeState} ${runnerState} /run/meshproof
for user in ${USERS}; do
  if getent passwd "$user" >/dev/null; then userdel "$user"; fi
  if getent group "$user" >/dev/null; then groupdel "$user"; fi
done
`,
};

/** Looks by other means than the removal works with: what is on disk, in the kernel, in the account files. */
const REMAINDER: RemoteScript = {
  does: 'look for what is left',
  only: 'looks',
  text: `
set +e
for path in ${home} ${config} ${nodeState} ${runnerState} /run/meshproof; do { [ -e "$path" ] || [ -L "$path" ]; } && echo "path $path"; done
find ${units} /run/systemd/system /run/systemd/transient /run/credentials -maxdepth 2 -name 'meshproof-*' 2>/dev/null | sed 's/^/unit file /'
grep -ho '^meshproof-[^:]*' /etc/passwd /etc/group 2>/dev/null | sort -u | sed 's/^/account /'
find /proc/[0-9]*/exe -maxdepth 0 -lname '${home}/*' 2>/dev/null | cut -d/ -f3 | sed 's/^/process /'
command -v nft >/dev/null && nft list tables 2>/dev/null | grep -E ' meshproof' | sed 's/^/nft /'
command -v tc >/dev/null && tc qdisc show 2>/dev/null | grep -F ' ${ROOT_HANDLE}' | sed 's/^/tc /'
systemctl list-units --all --plain --no-legend 'meshproof-*' 2>/dev/null | cut -d' ' -f1 | sed 's/^/unit /'
exit 0
`,
};

/**
 * Removes everything that a deployment installed on the host, its node's keys included.
 * @throws what `runScript` throws
 */
export async function removeDeployment(host: Host, signal: AbortSignal): Promise<void> {
  await runScript(host, REMOVE, [], { budgetMs: BUDGET_MS, signal });
}

/** What of a deployment is still on the host; empty when nothing is. */
export async function remainderOf(host: Host, signal: AbortSignal): Promise<readonly string[]> {
  const text = await runScript(host, REMAINDER, [], { budgetMs: BUDGET_MS, signal });
  return text.split('\n').filter((line) => line !== '');
}
