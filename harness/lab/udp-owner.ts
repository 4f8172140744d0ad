import { readdir, readFile, readlink } from 'node:fs/promises';
import { missing, type Observation, seen } from '../../proofs/observation.ts';

/**
 * Whether process `pid` itself holds UDP `port`, by the kernel's own tables (`/proc/net/udp*` names the socket's
 * inode, `/proc/PID/fd` its owner). A word from the process would prove nothing.
 */
export async function holdsUdpPort(pid: number, port: number): Promise<Observation<boolean>> {
  if (process.platform !== 'linux') return missing('absent', `no socket table on ${process.platform}`);
  try {
    const inodes = new Set<string>();
    for (const table of ['udp', 'udp6']) {
      const text = await readFile(`/proc/${pid}/net/${table}`, 'utf8').catch(() => '');
      for (const line of text.split('\n').slice(1)) {
        const columns = line.trim().split(/\s+/);
        const [address, inode] = [columns[1], columns[9]];
        if (inode !== undefined && address?.endsWith(`:${hexPort(port)}`)) inodes.add(inode);
      }
    }
    for (const fd of await readdir(`/proc/${pid}/fd`)) {
      const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined && inodes.has(inode)) return seen(true);
    }
    return seen(false);
  } catch (error) {
    return missing('unreadable', `socket table of process ${pid}: ${String(error)}`);
  }
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}
