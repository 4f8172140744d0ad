import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { planLab } from '../harness/lab/containers/lab-plan.ts';

const run = promisify(execFile);

/** What a lab shows of itself on this machine, looked for without any code of the lab. */
export async function traces(dir: string): Promise<readonly string[]> {
  const { prefix } = planLab(dir, 1);
  const namespaces = (await run('ip', ['netns', 'list'])).stdout.split('\n');
  const groups = (
    await run('find', ['/sys/fs/cgroup', '-maxdepth', '2', '-name', `${prefix}*`])
  ).stdout.split('\n');
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  const found = [
    ...namespaces.filter((line) => line.startsWith(prefix)),
    ...groups.filter(Boolean),
    ...mounts.filter((line) => line.includes(`${dir}/`)),
  ];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(prefix)) found.push(`process ${pid}: ${command.replaceAll('\0', ' ')}`);
  }
  return found;
}
