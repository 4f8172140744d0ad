import { DEPLOYED_UNITS } from '../deployed-host.ts';

/** Between two looks at every process, to see which of them use the processor now. */
const SAMPLE_SECS = 0.5;

/**
 * Prints what is asked of a host, one section after the other, as the kernel and the tools say it: `=== name`, then
 * their words. It only looks: what has to be tried is tried in a network namespace that ends with the attempt. What is
 * not there leaves its section empty, or with a complaint that no reader takes for an answer.
 */
export const GATHER = `export LC_ALL=C
exec 2>&1
section() { echo "=== $1"; }
section kernel; uname -srm
section user; id -u
section uptime; cat /proc/uptime
section processes_before; cat /proc/uptime; cat /proc/[0-9]*/stat 2>/dev/null
section load; cat /proc/loadavg; grep -c ^processor /proc/cpuinfo
section memory; grep -E '^Mem(Total|Available):' /proc/meminfo
section disk; for dir in /opt /var/lib; do [ -d "$dir" ] || dir=/; df -Pk "$dir" | tail -n 1; done
section systemd; systemctl --version | head -n 1; systemctl is-system-running
section clock; timedatectl show -p NTPSynchronized --value
section node; systemctl show ${DEPLOYED_UNITS.node} -p ActiveState,ActiveEnterTimestampMonotonic
section nft; unshare -n nft 'table inet meshproof_try { set s { type ipv4_addr; flags timeout; }; }' && echo works
section prio; unshare -n tc qdisc add dev lo root handle 1: prio bands 4 && echo works
section netem; unshare -n tc qdisc add dev lo root netem delay 1ms && echo works
section udp; cat /proc/net/udp /proc/net/udp6
section tcp; cat /proc/net/tcp /proc/net/tcp6
section sockets; ls -l /proc/[0-9]*/fd 2>/dev/null | grep -E '^/proc/|socket:'
section ours; grep -l -E '${Object.values(DEPLOYED_UNITS).join('|')}' /proc/[0-9]*/cgroup 2>/dev/null
sleep ${SAMPLE_SECS}
section processes_after; cat /proc/uptime; cat /proc/[0-9]*/stat 2>/dev/null
section end
exit 0
`;
