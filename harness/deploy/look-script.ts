import { DEPLOYED_PATHS, DEPLOYED_ROLES, DEPLOYED_UNITS } from '../fleet/deployed-host.ts';
import { CHOOSE_DIGEST } from '../fleet/digest-command.ts';
import type { RemoteScript } from './remote-script.ts';

const { home, versions, releases, current, previous, config, identity, units } = DEPLOYED_PATHS;

/** What the remote side of a deployment needs; all of it is part of any system with systemd. */
const TOOLS = 'tar gzip sha256sum install flock find stat systemd-sysusers systemd-notify';

/**
 * Prints what is on the host, one fact per line: its kind, then its values, separated by tabs. Arguments: the digest of
 * a version whose files are wanted or `-`, `quick` or `full` (with digests), and ports as `udp:N` or `tcp:N`.
 * It only looks. A fact that cannot be had is left out, and the reader then takes it as not there.
 */
export const LOOK: RemoteScript = {
  does: 'look at what is there',
  only: 'looks',
  text: `
export LC_ALL=C
wanted=$1 depth=$2; shift 2
set +e
${CHOOSE_DIGEST}
tab=$(printf '\\t')
say() { fact=$1; shift; for value; do fact=$fact$tab$value; done; printf '%s\\n' "$fact"; }

say machine $(uname -s -m)
read -r boot_id < /proc/sys/kernel/random/boot_id
say boot "$boot_id/$(cut -d' ' -f22 /proc/1/stat)"
read -r init < /proc/1/comm
say init "$init" "$(systemctl --version 2>/dev/null | head -n 1)" "$(systemctl is-system-running 2>/dev/null)"
for tool in ${TOOLS}; do command -v "$tool" >/dev/null || say missing_tool "$tool"; done
for disk in ${versions} ${home} /opt /; do [ -d "$disk" ] && break; done
df -PB1 "$disk" 2>/dev/null | tail -n 1 | while read -r _ _ _ free _; do say free_bytes "$free"; done
for path in ${current} ${previous} ${config}; do
  if [ -L "$path" ]; then say link "$path" "$(readlink "$path")"; elif [ -e "$path" ]; then say occupied "$path"; fi
done
running=$(readlink -f ${current}/program)
running=\${running##*/}
[ -f ${identity} ] && say identity "$(cat ${identity})"
for release in ${releases}/*; do
  [ -d "$release" ] || continue
  program=$(readlink "$release/program")
  say release "\${release##*/}" "\${program##*/}" "$(stat -c %Y "$release")"
done
for version in ${versions}/*; do [ -d "$version" ] && say version "\${version##*/}"; done

# What runs is mostly the very file that is looked at below: 127 MB need not be read twice.
look_at_executable() {
  for version in "$wanted" "$running"; do
    if [ "/proc/$pid/exe" -ef "${versions}/$version/bin/node" ]; then say executable_is "$role" "$version" bin/node; return; fi
  done
  say executable_digest "$role" "$($digest < "/proc/$pid/exe" | cut -d' ' -f1)"
}
look_at_unit() {
  shown=$(systemctl show "$unit" -p LoadState,ActiveState,SubState,Result,MainPID,NRestarts,UnitFileState 2>/dev/null)
  pid=0
  while IFS= read -r line; do
    say unit "$role" "\${line%%=*}" "\${line#*=}"
    case $line in MainPID=*) pid=\${line#*=} ;; esac
  done <<END
$shown
END
  [ "\${pid:-0}" -gt 0 ] 2>/dev/null && say executable "$role" "$(readlink "/proc/$pid/exe")"
  [ "$depth" = full ] || return 0
  [ "\${pid:-0}" -gt 0 ] 2>/dev/null && look_at_executable
  for file in "${units}/$unit" "${config}/$role.toml"; do
    [ -f "$file" ] && say digest "$file" "$($digest < "$file" | cut -d' ' -f1)"
  done
}
${DEPLOYED_ROLES.map((role) => `unit=${DEPLOYED_UNITS[role]} role=${role}; look_at_unit`).join('\n')}

for spec in "$@"; do
  kind=\${spec%%:*} port=\${spec#*:}
  hex=$(printf '%04X' "$port")
  cat "/proc/net/$kind" "/proc/net/\${kind}6" 2>/dev/null | while read -r _ local _ state _ _ _ _ _ inode _; do
    case $local in *:"$hex") ;; *) continue ;; esac
    [ "$kind" = tcp ] && [ "$state" != 0A ] && continue
    owners=$(find /proc/[0-9]*/fd -maxdepth 1 -lname "socket:\\[$inode\\]" 2>/dev/null | cut -d/ -f3 | sort -u)
    told=
    for pid in $owners; do
      owner=$(sed -n 's,.*/\\([^/]*\\.service\\).*,\\1,p' "/proc/$pid/cgroup" 2>/dev/null | head -n 1)
      name=$(cat "/proc/$pid/comm" 2>/dev/null)
      [ -e "/proc/$pid/exe" ] || continue # it has ended meanwhile: a short-lived child had the socket of its parent
      say port "$kind" "$port" "$pid" "$name" "$owner"
      told=yes
    done
    [ -n "$told" ] || say port "$kind" "$port"
  done
done

if [ "$depth" = full ]; then
  for version in $(printf '%s\\n' "$wanted" "$running" | sort -u); do
    cd "${versions}/$version" 2>/dev/null || continue
    find . -type f -exec $digest {} + | while read -r sum path; do say file "$version" "$sum" "\${path#*./}"; done
  done
fi
say end
exit 0
`,
};
