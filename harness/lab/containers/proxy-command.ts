import { fileURLToPath } from 'node:url';
import type { LabPlan } from './lab-plan.ts';

const CONNECT_FILE = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './netns-connect.ts' : './netns-connect.js', import.meta.url),
);

/** The command that connects its standard input and output to a host of the lab; `{host}` and `{port}` are replaced. */
export function proxyCommand({ network }: LabPlan): readonly [string, ...string[]] {
  return ['nsenter', `--net=/run/netns/${network}`, process.execPath, CONNECT_FILE, '{host}', '{port}'];
}

/** `command` with the places for host and port filled in. */
export function fillProxyCommand(
  [program, ...args]: readonly [string, ...string[]],
  address: string,
  port: number,
): readonly [string, ...string[]] {
  return [program, ...args.map((arg) => arg.replaceAll('{host}', address).replaceAll('{port}', `${port}`))];
}
