import { stringify } from 'smol-toml';
import SSHConfig from 'ssh-config';
import { UsageError } from '../../kit/errors.ts';
import { parseInventory } from './inventory.ts';
import type { KnownHosts } from './known-hosts.ts';

const DEFAULT_PORT = 22;

interface Entry {
  name: string;
  address: string;
  port?: number;
  user: string;
  key?: string;
  agent?: boolean;
  host_key?: string;
  proxy_command?: readonly string[];
  jump?: string;
}

/** An inventory made from the files of OpenSSH, and what the operator should know about it. */
export interface ImportedInventory {
  readonly text: string;
  readonly notes: readonly string[];
}

/**
 * Makes an inventory of the hosts that an `ssh_config` names (patterns left out), or, without one, of those in
 * `known_hosts`. Host keys come from `known_hosts`, where it has them; without a user, it is `localUser`, as with ssh.
 * @throws UsageError `NOTHING_TO_IMPORT`; `TOML_VALUE` for what no inventory can hold
 */
export function importInventory(
  sshConfig: { readonly text: string; readonly file: string } | null,
  knownHosts: KnownHosts,
  localUser: string,
): ImportedInventory {
  const notes: string[] = [];
  const jumps = new Map<string, Entry>();
  const hosts: Entry[] = [];
  if (sshConfig === null) {
    for (const { host, port } of knownHosts.plainNames()) {
      hosts.push(entryOf({ alias: host, address: host, port, user: localUser }, knownHosts));
    }
  } else {
    const config = SSHConfig.parse(sshConfig.text);
    const settingsOf = (alias: string) => settings(config, alias, localUser);
    const aliases = concreteAliases(config);
    for (const alias of aliases) {
      const set = settingsOf(alias);
      const entry = entryOf(set, knownHosts);
      const { proxyJump, proxyCommand } = set;
      if (proxyJump !== undefined)
        entry.jump = addJumps(proxyJump, { aliases, jumps, knownHosts, settingsOf });
      else if (proxyCommand !== undefined) entry.proxy_command = proxyArgv(proxyCommand, set.user);
      hosts.push(entry);
    }
    if (/^\s*include\s/im.test(sshConfig.text))
      notes.push(`${sshConfig.file}: what Include names was not read`);
    if (/^\s*match\s.*\bexec\s/im.test(sshConfig.text))
      notes.push(`${sshConfig.file}: "Match exec" was taken as not met`);
  }
  if (hosts.length === 0) {
    throw new UsageError(
      'NOTHING_TO_IMPORT',
      'no host is named there: expected Host lines without patterns, or names in plain text',
    );
  }
  const unpinned = [...hosts, ...jumps.values()].filter(({ host_key }) => host_key === undefined);
  if (unpinned.length > 0) {
    notes.push(
      `no host key is known of ${unpinned.map(({ name }) => name).join(', ')}: "fleet trust" records one`,
    );
  }
  const file = {
    format: 'meshproof.inventory.v1',
    network: 'test',
    environment: 'test',
    host: hosts,
    ...(jumps.size === 0 ? {} : { jump: [...jumps.values()] }),
  };
  const text = stringify(file);
  parseInventory(text, sshConfig?.file ?? 'known_hosts');
  return { text: `${text.trimEnd()}\n`, notes };
}

interface Settings {
  readonly alias: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly key?: string | undefined;
  readonly proxyJump?: string | undefined;
  readonly proxyCommand?: string | undefined;
}

function entryOf({ alias, address, port, user, key }: Settings, knownHosts: KnownHosts): Entry {
  const hostKey = knownHosts.fingerprintOf(address, port) ?? knownHosts.fingerprintOf(alias, port);
  return {
    name: alias.replaceAll(/[^A-Za-z0-9._-]/g, '-'),
    address,
    ...(port === DEFAULT_PORT ? {} : { port }),
    user,
    ...(key === undefined ? { agent: true } : { key }),
    ...(hostKey === null ? {} : { host_key: hostKey }),
  };
}

function settings(config: SSHConfig, alias: string, localUser: string): Settings {
  const set = config.compute(alias, { ignoreCase: true, matchExec: false });
  const value = (name: string): string | undefined => {
    const found = Object.entries(set).find(([key]) => key.toLowerCase() === name)?.[1];
    const first = Array.isArray(found) ? found[0] : found;
    return first === undefined || first.toLowerCase() === 'none' ? undefined : first;
  };
  return {
    alias,
    address: (value('hostname') ?? alias).replaceAll('%h', alias),
    port: Number(value('port') ?? DEFAULT_PORT),
    user: value('user') ?? localUser, // as ssh does
    key: value('identityfile'),
    proxyJump: value('proxyjump'),
    proxyCommand: value('proxycommand'),
  };
}

/** `Host` lines may hold several names; those with `*`, `?` or `!` are patterns, not machines. */
function concreteAliases(config: SSHConfig): readonly string[] {
  const names = [...config].flatMap((line) => {
    if (line.type !== SSHConfig.DIRECTIVE || line.param.toLowerCase() !== 'host') return [];
    return typeof line.value === 'string' ? [line.value] : line.value.map(({ val }) => val);
  });
  return [...new Set(names.filter((name) => !/[*?!]/.test(name)))];
}

/** `ProxyJump a,b` reaches a first and b through it; gives the name of the last. */
function addJumps(
  list: string,
  known: {
    readonly aliases: readonly string[];
    readonly jumps: Map<string, Entry>;
    readonly knownHosts: KnownHosts;
    readonly settingsOf: (alias: string) => Settings;
  },
): string {
  let before: string | undefined;
  for (const hop of list.split(',').map((part) => part.trim())) {
    const [, user, host = hop, port] =
      /^(?:ssh:\/\/)?(?:([^@]+)@)?(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(hop) ?? [];
    const alias = host.replaceAll(/[[\]]/g, '');
    if (known.aliases.includes(alias)) {
      before = entryOf(known.settingsOf(alias), known.knownHosts).name;
      continue;
    }
    const set = known.settingsOf(alias);
    const entry = entryOf(
      { ...set, user: user ?? set.user, port: port === undefined ? set.port : Number(port) },
      known.knownHosts,
    );
    if (before !== undefined) entry.jump = before;
    known.jumps.set(entry.name, entry);
    before = entry.name;
  }
  return before ?? '';
}

function proxyArgv(command: string, user: string): readonly string[] {
  const filled = command
    .replaceAll('%h', '{host}')
    .replaceAll('%p', '{port}')
    .replaceAll('%r', user)
    .replaceAll('%%', '%');
  return ['sh', '-c', `exec ${filled}`];
}
