import { describe, expect, it } from 'vitest';
import { type ListDirectory, planDisk } from './disk-plan.ts';

/** A machine as nested names; what is no object is a file. */
function machine(tree: object): ListDirectory {
  return (path) => {
    let at: unknown = tree;
    for (const name of path.split('/').filter(Boolean)) {
      at = at !== null && typeof at === 'object' ? (at as Record<string, unknown>)[name] : undefined;
    }
    return at !== null && typeof at === 'object' ? Object.keys(at) : [];
  };
}

const DEVELOPER = machine({
  bin: '',
  etc: {
    fstab: '',
    passwd: '',
    ssh: { ssh_host_rsa_key: '', sshd_config: '' },
    systemd: { system: { 'docker.service': '', 'multi-user.target.wants': { 'postgres.service': '' } } },
  },
  home: { dev: { secrets: '' } },
  root: { '.ssh': { id_rsa: '' }, '.bashrc': '' },
  usr: { bin: { node: '', ls: '' }, local: { bin: { deno: '' }, cuda: {} } },
  var: { lib: { lab: {}, dpkg: {} } },
  work: { main: {} },
});

const KEYS = { path: '/root/.ssh/authorized_keys', content: 'ssh-ed25519 …', mode: 0o600 };

describe('the disk of a host', () => {
  it('hides the files of people, services and keys of the machine, and keeps the system', () => {
    const { hidden } = planDisk([KEYS], [], DEVELOPER);
    for (const path of [
      '/home/dev',
      '/root/.bashrc',
      '/root/.ssh/id_rsa',
      '/etc/ssh/ssh_host_rsa_key',
      '/etc/systemd/system/docker.service',
      '/etc/systemd/system/multi-user.target.wants/postgres.service',
      '/etc/fstab',
      '/usr/bin/node',
      '/usr/local/bin/deno',
      '/usr/local/cuda',
      '/work',
    ]) {
      expect(hidden, path).toContain(path);
    }
    for (const path of [
      '/bin',
      '/etc',
      '/etc/passwd',
      '/usr/bin/ls',
      '/var/lib/dpkg',
      '/root',
      '/root/.ssh',
    ]) {
      expect(hidden, path).not.toContain(path);
    }
  });

  it('hides what it is told to, where that exists', () => {
    const { hidden } = planDisk([], ['/var/lib/lab', '/opt/none'], DEVELOPER);
    expect(hidden).toContain('/var/lib/lab');
    expect(hidden).not.toContain('/opt/none');
  });

  it('never hides a file of its own, nor a directory above one', () => {
    const own = { path: '/etc/ssh/sshd_config', content: '', mode: 0o644 };
    const { hidden } = planDisk([own], ['/etc/ssh'], machine({ etc: { ssh: { sshd_config: '' } } }));
    expect(hidden).not.toContain('/etc/ssh/sshd_config');
  });

  it('names every directory that it needs once, parents first', () => {
    const { directories, hidden, files } = planDisk([KEYS], ['/var/lib/lab'], DEVELOPER);
    expect(new Set(directories).size).toBe(directories.length);
    for (const [index, path] of directories.entries()) {
      const parent = path.slice(0, path.lastIndexOf('/'));
      if (parent !== '') expect(directories.slice(0, index), path).toContain(parent);
    }
    for (const path of [...hidden, ...files.map((file) => file.path)]) {
      const parent = path.slice(0, path.lastIndexOf('/'));
      if (parent !== '') expect(directories, path).toContain(parent);
    }
  });

  it('hides a directory once, not also what is in it', () => {
    const { hidden } = planDisk([], ['/work/main', '/work/main/node'], DEVELOPER);
    expect(hidden.filter((path) => path.startsWith('/work'))).toEqual(['/work']);
  });
});
