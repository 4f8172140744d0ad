import { describe, expect, it } from 'vitest';
import { findHierarchies } from './control-groups.ts';

const line = (point: string, kind: string, options: string, root = '/') =>
  `30 24 0:26 ${root} ${point} rw,nosuid shared:5 - ${kind} cgroup rw,${options}`;

describe('the hierarchies of control groups', () => {
  it('is the unified one where there is no other', () => {
    expect(findHierarchies(line('/sys/fs/cgroup', 'cgroup2', 'nsdelegate'))).toEqual(['/sys/fs/cgroup']);
  });

  it('is also the one of systemd where the first version is mounted, and none of its controllers', () => {
    const mounts = [
      line('/sys/fs/cgroup/memory', 'cgroup', 'memory'),
      line('/sys/fs/cgroup/systemd', 'cgroup', 'xattr,name=systemd'),
      line('/sys/fs/cgroup/unified', 'cgroup2', 'nsdelegate'),
      '22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
      '',
    ];
    expect(findHierarchies(mounts.join('\n'))).toEqual(['/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified']);
  });

  it('leaves out a part of a hierarchy that is mounted elsewhere', () => {
    expect(findHierarchies(line('/mnt/part', 'cgroup2', 'nsdelegate', '/user.slice'))).toEqual([]);
  });
});
