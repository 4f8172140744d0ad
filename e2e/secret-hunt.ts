import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../kit/deadline.ts';
import { inside } from './own-lab.ts';

const WATCH_BUDGET_MS = 400_000; // the longest run that is watched, and room

interface Secret {
  readonly name: string;
  readonly value: string;
}

/** What nobody may see: of the operator, and of every host of the lab in `dir`. */
export async function secretsOf(
  dir: string,
  hosts: readonly string[],
  operatorKey: string,
): Promise<readonly Secret[]> {
  const lineOf = (text: string) => text.split('\n')[2] ?? ''; // the third of a PEM file, which is of the key itself
  const own: Secret[] = [
    { name: 'operator key', value: (await readFile(operatorKey, 'utf8')).trim() },
    { name: 'SSH key', value: lineOf(await readFile(join(dir, 'id_ed25519'), 'utf8')) },
  ];
  const ofHosts = await Promise.all(
    hosts.map(async (host) => {
      const script = `cat /var/lib/meshproof-node/api-token; echo; cat /var/lib/meshproof-runner/control-token; echo
        sed -n 3p /etc/ssh/ssh_host_ed25519_key
        sed -n 's/.*"seed": "\\(.*\\)".*/\\1/p' /var/lib/meshproof-node/machine.key`;
      const [api, control, hostKey, machine] = (await inside(dir, host, script)).split('\n').filter(Boolean);
      return [
        { name: `API token of ${host}`, value: api ?? '' },
        { name: `control token of ${host}`, value: control ?? '' },
        { name: `host key of ${host}`, value: hostKey ?? '' },
        { name: `machine key of ${host}`, value: machine ?? '' },
      ];
    }),
  );
  const all = [...own, ...ofHosts.flat()];
  for (const { name, value } of all) if (value.length < 20) throw new Error(`no ${name} was found`);
  return all;
}

/** Every command line that any process of this machine, the hosts' included, showed at looks 100 ms apart until `over`. */
export async function commandLines(over: AbortSignal): Promise<string> {
  const seen = new Set<string>();
  const look = async () => {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
    for (const line of await Promise.all(lines)) seen.add(line.replaceAll('\0', ' '));
    return over.aborted ? [...seen].join('\n') : undefined;
  };
  return await until('the end of what is watched', look, { budgetMs: WATCH_BUDGET_MS, everyMs: 100 });
}

/** Every file below `dir` in one text. */
export async function allText(dir: string): Promise<string> {
  const files = await readdir(dir, { recursive: true, withFileTypes: true });
  const texts = await Promise.all(
    files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name), 'latin1')),
  );
  return texts.join('\n');
}
