/**
 * What a lab host said to `GATHER` (Debian 12, systemd 252, kernel 6.18), with fewer processes and sockets, a node of
 * ours at UDP 5483 (inode 900001, pid 200) and somebody else's daemon at TCP 12700 (inode 900002, pid 300).
 */
export const GATHERED = `=== kernel
Linux 6.18.44 x86_64
=== user
0
=== uptime
13487.40 16106.52
=== processes_before
13487.41 16106.52
1 (systemd) S 0 1 1 0 -1 4194560 2598 10926 0 0 8 2 6 5 20 0 1 0 1247601 20144128 2813 18446744073709551615 1 1 0 0 0 0 671173123 4096 1260 1 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0
200 (node) S 1 200 200 0 -1 4194560 352 0 0 0 100 50 0 0 20 0 1 0 1348736 2568192 355 18446744073709551615 1 1 0 0 0 0 0 0 0 1 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0
300 (a (daemon) x) S 1 300 300 0 -1 4194560 352 0 0 0 1000 500 0 0 20 0 1 0 1348736 2568192 355 18446744073709551615 1 1 0 0 0 0 0 0 0 1 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0
=== load
0.17 0.35 0.76 1/584 107
2
=== memory
MemTotal:       24684096 kB
MemAvailable:   22036300 kB
=== disk
/dev/vda1    264212084 25662816  80728096      25% /
/dev/vdb     264212084 25662816   1048576      25% /var/lib
=== systemd
systemd 252 (252.39-1~deb12u2)
running
=== clock
yes
=== node
ActiveState=active
ActiveEnterTimestampMonotonic=13367400000
=== nft
works
=== prio
works
=== netem
Error: Specified qdisc kind is unknown.
=== udp
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
    1: 00000000000000000000000000000000:156B 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000   996        0 900001 2 0000000000000000 0
=== tcp
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:319C 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 900002 1 0000000069aff8a8 100 0 0 10 0
   1: 0BABD50A:319D 01ABD50A:8726 01 00000034:00000000 01:00000014 00000000     0        0 900003 3 000000005e1d37c5 20 4 13 54 -1
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
=== sockets
/proc/1/fd:
lrwx------ 1 root root 64 Nov 21 14:56 13 -> socket:[758115]
/proc/200/fd:
lrwx------ 1 root root 64 Nov 21 14:56 20 -> socket:[900001]
/proc/300/fd:
lrwx------ 1 root root 64 Nov 21 14:56 3 -> socket:[900002]
=== ours
/proc/200/cgroup
=== processes_after
13488.41 16106.52
1 (systemd) S 0 1 1 0 -1 4194560 2599 10926 0 0 9 2 6 5 20 0 1 0 1247601 20144128 2813 18446744073709551615 1 1 0 0 0 0 671173123 4096 1260 1 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0
200 (node) S 1 200 200 0 -1 4194560 352 0 0 0 140 60 0 0 20 0 1 0 1348736 2568192 355 18446744073709551615 1 1 0 0 0 0 0 0 0 1 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0
300 (a (daemon) x) S 1 300 300 0 -1 4194560 352 0 0 0 1030 515 0 0 20 0 1 0 1348736 2568192 355 18446744073709551615 1 1 0 0 0 0 0 0 0 1 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0
=== end
`;

/** The same with one section replaced. */
export function gatheredWith(section: string, text: string): string {
  return GATHERED.replace(
    new RegExp(`(=== ${section}\\n)[\\s\\S]*?(?=\\n===)`),
    (_all, head: string) => head + text,
  );
}
