import { describe, expect, it } from 'vitest';
import { describeRemains, mountsBelow } from './lab-remains.ts';

const NOTHING = {
  machines: [],
  namespaces: [],
  controlGroups: [],
  processes: [],
  mounts: [],
  propagationDirs: [],
};

describe('what is left of a lab', () => {
  it('counts the mounts below its directory and no neighbour’s, innermost first', () => {
    const mount = (point: string) => `36 35 0:40 / ${point} rw - overlay meshproof-lab rw,lowerdir=/`;
    const mountinfo = ['/', '/var/lib/lab', '/var/lib/lab/a', '/var/lib/lab/a/b', '/var/lib/lab-2/a'].map(
      mount,
    );
    expect(mountsBelow(mountinfo.join('\n'), '/var/lib/lab')).toEqual(['/var/lib/lab/a/b', '/var/lib/lab/a']);
  });

  it('counts no mount that somebody else made below its directory', () => {
    const mountinfo =
      '36 35 0:40 / /var/lib/lab/hosts rw - tmpfs none rw\n36 35 0:41 / /var/lib/lab/x rw - overlay other rw';
    expect(mountsBelow(mountinfo, '/var/lib/lab')).toEqual([]);
  });

  it('is told by kind, and not at all when nothing is', () => {
    expect(describeRemains(NOTHING)).toEqual([]);
    expect(describeRemains({ ...NOTHING, processes: [7, 8], namespaces: ['mplab-1-net'] })).toEqual([
      'namespaces: mplab-1-net',
      'processes: 7 8',
    ]);
  });
});
