import { readFile } from 'node:fs/promises';
import type { Artifact } from '../harness/deploy/artifact.ts';
import type { Host } from '../harness/fleet/host.ts';

/** Every command sees itself alone in the world: process 1 is its shell. */
export const inPidNamespace = (host: Host): Host =>
  detour(host, {
    exec: (argv, options) => host.exec(['unshare', '--pid', '--fork', '--mount-proc', ...argv], options),
  });

export const withoutSystemctl = (host: Host): Host => {
  const hide = 'mount --bind /dev/null /usr/bin/systemctl; exec "$@"';
  return detour(host, {
    exec: (argv, options) => host.exec(['unshare', '--mount', 'sh', '-c', hide, 'sh', ...argv], options),
  });
};

export const flippingOneByte = (host: Host): Host =>
  detour(host, {
    writeFile: async (path, content, options) => {
      if (content instanceof Uint8Array) return await host.writeFile(path, content, options);
      const bytes = await readFile(content.file);
      const at = Math.floor(bytes.length / 2);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      await host.writeFile(path, bytes, options);
    },
  });

/** The machine goes down in the moment in which its units are to be restarted, once. */
export const rebooting =
  (reboot: () => Promise<unknown>) =>
  (host: Host): Host => {
    let isDone = false;
    return detour(host, {
      exec: async (argv, options) => {
        if (argv.includes('restart') && !isDone) {
          isDone = true;
          reboot().catch(() => {}); // the host takes the command that said so with it
        }
        return await host.exec(argv, options);
      },
    });
  };

/** A unit drop-in under which the node refuses to start with that version, and with no other. */
export const refusesToRun = ({ digest }: Artifact) => `mkdir -p /etc/systemd/system/meshproof-node.service.d
cat > /etc/systemd/system/meshproof-node.service.d/refuse.conf <<'END'
[Service]
ExecStartPre=/bin/sh -c 'case $(readlink -f /opt/meshproof/current/program) in *${digest}) exit 1 ;; esac'
END
systemctl daemon-reload`;

/** A user `ops` who is let in as root is, and may not be root. */
export const OPERATOR = `useradd --create-home --shell /bin/sh ops
install -d -m 700 -o ops -g ops /home/ops/.ssh
install -m 600 -o ops -g ops /root/.ssh/authorized_keys /home/ops/.ssh/authorized_keys`;

/** Lets `ops` be root without a password. */
export const WITH_RIGHTS = `echo 'ops ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops; chmod 440 /etc/sudoers.d/ops`;

/** A host of which some calls go otherwise. */
function detour(host: Host, changed: Partial<Pick<Host, 'exec' | 'writeFile'>>): Host {
  return {
    name: host.name,
    exec: (...call) => host.exec(...call),
    session: (...call) => host.session(...call),
    writeFile: (...call) => host.writeFile(...call),
    connect: (...call) => host.connect(...call),
    close: () => host.close(),
    ...changed,
  };
}
