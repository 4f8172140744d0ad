import { VirtualClock } from '../../kit/clock.ts';
import { FaultError } from '../../kit/errors.ts';
import type { FaultHost } from './fault-program.ts';
import type { Finished, RunCommand } from './run-command.ts';

interface FakeUnit {
  pid: number;
  letter: 'S' | 'T';
  isRunning: boolean;
  startedUsec: number;
  watchdogUsec: number;
  readonly watchdogIsDeaf: boolean;
  readonly dependents: readonly string[];
}

interface FakeTimer {
  readonly atMs: number;
  readonly argv: readonly [string, ...string[]];
}

interface FakeTable {
  readonly chain: string;
  readonly expiryByAddress: Map<string, number>;
}

const DONE: Finished = { code: 0, stdout: '', stderr: '' };

/**
 * A host of a test: as much of nft, tc, ip and systemd as the fault program uses, on a virtual clock, and a death that
 * may come before any command. What it answers was copied from the real programs (Debian 12).
 */
export class FakeHost implements FaultHost {
  readonly clock = new VirtualClock(1_000_000);
  readonly uid = 0;
  readonly hasSystemd = true;
  readonly directory: string;
  controlAddress: string | null = null;
  readonly commands: string[] = [];
  readonly units = new Map<string, FakeUnit>();
  readonly timers = new Map<string, FakeTimer>();
  readonly tables = new Map<string, FakeTable>();
  /** Root qdisc by device, as `tc -j qdisc show` has it; devices that are not here have the kernel's. */
  readonly qdiscs = new Map<string, { kind: string; handle: string }>();
  readonly lacking = new Set<string>();
  /** Tables that cannot be removed. */
  readonly stuckTables = new Set<string>();
  /** How many more commands the program runs before it is killed. */
  commandsUntilDeath = Number.POSITIVE_INFINITY;
  #nextPid = 100;

  constructor(directory: string) {
    this.directory = directory;
  }

  addUnit(
    name: string,
    { watchdogUsec = 0, watchdogIsDeaf = false, dependents = [] as readonly string[] } = {},
  ): void {
    this.units.set(name, { ...this.#process(), watchdogUsec, watchdogIsDeaf, dependents });
  }

  readonly readLetter = async (pid: number): Promise<string | null> =>
    [...this.units.values()].find((unit) => unit.isRunning && unit.pid === pid)?.letter ?? null;

  readonly run: RunCommand = async (argv, { input = '' } = {}) => {
    if (this.commandsUntilDeath <= 0) throw new FaultError('KILLED', 'the program was killed');
    this.commandsUntilDeath -= 1;
    return this.#execute(argv, input);
  };

  /** Time goes by, and timers fire in their order. */
  async advance(ms: number): Promise<void> {
    const endMs = this.clock.nowMs() + ms;
    for (;;) {
      const [next] = [...this.timers].toSorted(([, a], [, b]) => a.atMs - b.atMs);
      if (next === undefined || next[1].atMs > endMs) break;
      await this.clock.advance(Math.max(0, next[1].atMs - this.clock.nowMs()));
      this.#fire(next[0]);
    }
    await this.clock.advance(endMs - this.clock.nowMs());
  }

  #fire(timer: string): void {
    const armed = this.timers.get(timer);
    this.timers.delete(timer);
    if (armed !== undefined) this.#execute(armed.argv, '');
  }

  #execute(argv: readonly [string, ...string[]], input: string): Finished {
    this.commands.push(argv.join(' '));
    const [program, ...args] = argv;
    if (this.lacking.has(program)) throw new FaultError('COMMAND_MISSING', `${program} is not installed`);
    if (program === 'nft') return this.#nft(args, input);
    if (program === 'tc') return this.#tc(args);
    if (program === 'systemctl') return this.#systemctl(args);
    if (program === 'systemd-run') return this.#systemdRun(args);
    if (program === 'systemd-notify') return this.#systemdNotify(args);
    if (program === 'ip') return says(JSON.stringify([{ dst: args.at(-1), dev: 'eth0', flags: [] }]));
    if (program === 'unshare') return DONE;
    throw new Error(`the fake host has no ${argv.join(' ')}`);
  }

  #nft(args: readonly string[], input: string): Finished {
    const what = args.join(' ');
    if (what === '-j list tables') {
      return nftJson([...this.tables.keys()].map((name) => ({ table: { family: 'inet', name } })));
    }
    if (what.startsWith('-j list table inet ')) return this.#listTable(args.at(-1) ?? '');
    if (what.startsWith('delete table inet ')) {
      return this.tables.delete(args.at(-1) ?? '') ? DONE : refuses('Error: No such file or directory');
    }
    if (what.startsWith('--check')) return DONE;
    return this.#transaction(input);
  }

  #listTable(name: string): Finished {
    const table = this.tables.get(name);
    if (table === undefined) return refuses('Error: No such file or directory');
    const at = { family: 'inet', table: name };
    const elem = [...table.expiryByAddress]
      .filter(([, expiry]) => expiry > this.clock.nowMs())
      .map(([val]) => ({ elem: { val } }));
    return nftJson([
      { table: { family: 'inet', name } },
      { set: { ...at, name: 'peers4', ...(elem.length > 0 && { elem }) } },
      { rule: { ...at, chain: table.chain, expr: [{ counter: { packets: 7, bytes: 700 } }] } },
    ]);
  }

  /** The scripts of `nft-script.ts`, which are all the language it knows. */
  #transaction(script: string): Finished {
    const name = /(?:table|element) inet (\S+)/.exec(script)?.[1] ?? '';
    const timed = [...script.matchAll(/([0-9a-f.:]+) timeout (\d+)ms/g)].map(
      ([, address = '', ms]) => [address, this.clock.nowMs() + Number(ms)] as const,
    );
    if (script.includes('add element')) {
      const standing = this.tables.get(name)?.expiryByAddress;
      const isWhole = timed.every(([address]) => (standing?.get(address) ?? 0) > this.clock.nowMs());
      if (!isWhole)
        return refuses('/dev/stdin:1:1-2: Error: Could not process rule: No such file or directory');
      for (const [address, expiry] of timed) standing?.set(address, expiry);
      return DONE;
    }
    const chain = /chain (\w+)/.exec(script)?.[1];
    if (chain === undefined && this.stuckTables.has(name)) return refuses('Error: Device or resource busy');
    this.tables.delete(name);
    if (chain !== undefined) this.tables.set(name, { chain, expiryByAddress: new Map(timed) });
    return DONE;
  }

  #tc(args: readonly string[]): Finished {
    if (args[0] === '-j') {
      const shown = [...this.qdiscs].map(([dev, qdisc]) => ({ ...qdisc, dev, root: true, options: {} }));
      return says(JSON.stringify(shown));
    }
    const [, verb, , device = ''] = args;
    if (verb === 'add') this.qdiscs.set(device, { kind: 'prio', handle: args[6] ?? '' });
    if (verb === 'del' && this.qdiscs.get(device)?.handle !== args[6])
      return refuses('Error: Invalid handle.');
    if (verb === 'del') this.qdiscs.delete(device);
    return DONE;
  }

  #systemdRun(args: readonly string[]): Finished {
    const unit = args.find((arg) => arg.startsWith('--unit='))?.slice('--unit='.length);
    const afterMs = Number(/--on-active=(\d+)ms/.exec(args.join(' '))?.[1]);
    const [program, ...rest] = args.slice(args.indexOf('--') + 1);
    if (program === undefined) return DONE; // --version
    this.timers.set(`${unit}.timer`, { atMs: this.clock.nowMs() + afterMs, argv: [program, ...rest] });
    return DONE;
  }

  #systemdNotify(args: readonly string[]): Finished {
    const pid = Number(args.find((arg) => arg.startsWith('--pid='))?.slice('--pid='.length));
    const unit = [...this.units.values()].find((one) => one.pid === pid);
    const usec = Number(args.find((arg) => arg.startsWith('WATCHDOG_USEC='))?.slice('WATCHDOG_USEC='.length));
    if (unit !== undefined && !unit.watchdogIsDeaf) unit.watchdogUsec = usec;
    return DONE;
  }

  #systemctl([verb, ...args]: readonly string[]): Finished {
    const names = args.filter((arg) => !arg.startsWith('--'));
    if (verb === 'show') return this.#show(names[0] ?? '');
    if (verb === 'list-units') return says(this.#listTimers(names[0] ?? ''));
    if (verb === 'kill') this.#kill(names[0] ?? '', args.includes('--signal=SIGSTOP') ? 'T' : 'S');
    for (const name of names) {
      if (verb === 'start' && name.startsWith('meshproof-undo:'))
        this.#fire(name.replace('.service', '.timer'));
      else if (verb === 'start') this.#start(name);
      if (verb === 'restart') this.#start(name, 'anew');
      if (verb === 'stop') this.#stop(name);
    }
    return DONE;
  }

  #show(name: string): Finished {
    const unit = this.units.get(name);
    return says(
      [
        `LoadState=${unit === undefined ? 'not-found' : 'loaded'}`,
        `MainPID=${unit?.isRunning ? unit.pid : 0}`,
        `ExecMainStartTimestampMonotonic=${unit?.startedUsec ?? 0}`,
        `WatchdogUSec=${unit?.watchdogUsec ? `${unit.watchdogUsec / 1_000_000}s` : '0'}`,
        `RequiredBy=${unit?.dependents.join(' ') ?? ''}`,
        '',
      ].join('\n'),
    );
  }

  #listTimers(pattern: string): string {
    const prefix = pattern.slice(0, pattern.indexOf('*'));
    const names = [...this.timers.keys()].filter((name) => name.startsWith(prefix));
    return names.map((name) => `${name} loaded active waiting ends a fault of meshproof\n`).join('');
  }

  #kill(name: string, letter: 'S' | 'T'): void {
    const unit = this.units.get(name);
    if (unit?.isRunning) unit.letter = letter;
  }

  #start(name: string, how: 'anew' | 'if stopped' = 'if stopped'): void {
    const unit = this.units.get(name);
    if (unit !== undefined && (!unit.isRunning || how === 'anew')) Object.assign(unit, this.#process());
  }

  #stop(name: string): void {
    this.timers.delete(name);
    const unit = this.units.get(name);
    if (unit === undefined) return;
    for (const one of [unit, ...unit.dependents.map((other) => this.units.get(other))]) {
      if (one !== undefined) one.isRunning = false;
    }
  }

  #process(): { pid: number; letter: 'S'; isRunning: true; startedUsec: number } {
    this.#nextPid += 1;
    return { pid: this.#nextPid, letter: 'S', isRunning: true, startedUsec: this.#nextPid * 1_000 };
  }
}

function says(stdout: string): Finished {
  return { ...DONE, stdout };
}

function refuses(stderr: string): Finished {
  return { code: 1, stdout: '', stderr };
}

function nftJson(objects: readonly object[]): Finished {
  return says(JSON.stringify({ nftables: [{ metainfo: { json_schema_version: 1 } }, ...objects] }));
}
