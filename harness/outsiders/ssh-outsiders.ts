import { isIPv4 } from 'node:net';
import pLimit from 'p-limit';
import { type Clock, realClock } from '../../kit/clock.ts';
import { FaultError, messageOf } from '../../kit/errors.ts';
import type { JoinedOutsiders } from '../../scenarios/outsiders.ts';
import type { DeployTarget } from '../fleet/deployed-host.ts';
import type { Host, HostSession } from '../fleet/host.ts';
import { HostError } from '../fleet/host-error.ts';
import { meshAddresses } from '../fleet/mesh-addresses.ts';
import type { OutsiderPlace } from '../fleet/mesh-host.ts';
import { sudoProblem } from '../fleet/sudo.ts';
import { outsidersCommand, outsidersUnit, programLine } from './host-unit.ts';
import { OutsidersTalk } from './outsiders-talk.ts';
import { type OutsiderAddress, type OutsidersConfig, requireRoom } from './protocol.ts';

const START_BUDGET_MS = 20_000; // to send a quarter of a megabyte and start Node on a busy host
const STOP_BUDGET_MS = 15_000; // systemd kills it after 5 s
const LOOK_UP_BUDGET_MS = 20_000;
const LOOK_UPS_AT_ONCE = 4;
/** As long as a fault stands that nobody renews. */
const SILENCE_MAX_MS = 15_000;
const SPEAK_EVERY_MS = 4_000; // an answer may take 5 s
const SAID_MAX_CHARS = 200;
/** What systemctl says of a unit that is not there. */
const NOT_LOADED = 5;

interface SshOutsidersModules {
  readonly runId: string;
  readonly networkId: string;
  /** Where they run; closed with this place. */
  readonly host: Host;
  /** The nodes of the mesh, that of `host` too. */
  readonly nodes: readonly Pick<DeployTarget, 'name' | 'meshAddress' | 'udpPort'>[];
  /** The outsiders' program. */
  readonly program: () => Promise<Uint8Array>;
  readonly clock?: Clock;
}

/**
 * A place for hostile programs on one deployed host, where they are a transient unit without rights. The unit ends with
 * its connection, when it was not spoken to for 15 s, and when it hangs.
 */
export class SshOutsiders implements OutsiderPlace {
  readonly #modules: SshOutsidersModules;
  readonly #clock: Clock;
  readonly #running = new Set<AsyncDisposable>();
  #joins = 0;

  constructor(modules: SshOutsidersModules) {
    this.#modules = modules;
    this.#clock = modules.clock ?? realClock;
  }

  /**
   * @throws FaultError `OUTSIDERS_UNAVAILABLE` when too many are wanted, or the host cannot run them, with its name and why;
   * leaving throws `OUTSIDERS_LEFT` when they could not be ended
   */
  async join(request: Parameters<OutsiderPlace['join']>[0], signal: AbortSignal): Promise<JoinedOutsiders> {
    const { kinds, targets, seed } = request;
    requireRoom(kinds);
    const { host, networkId } = this.#modules;
    try {
      const addresses = await this.#addressesOf(targets, signal);
      const bind = { host: addresses.every((one) => isIPv4(one.host)) ? '0.0.0.0' : '::', port: 0 };
      const outsiders = kinds.map((kind) => ({ kind, bind, targets: [...addresses] }));
      const config = { network_id: networkId, seed, silence_max_ms: SILENCE_MAX_MS, outsiders };
      return await this.#start(config, signal);
    } catch (cause) {
      signal.throwIfAborted();
      if (!(cause instanceof FaultError)) throw cause;
      const why = `the outsiders did not start on ${host.name}: ${messageOf(cause)}`;
      throw new FaultError('OUTSIDERS_UNAVAILABLE', why, { details: { host: host.name }, cause });
    }
  }

  /** Ends every program that is still there, and the connection. */
  async close(): Promise<void> {
    try {
      await Promise.all([...this.#running].map((joined) => joined[Symbol.asyncDispose]()));
    } finally {
      await this.#modules.host.close();
    }
  }

  async #start(config: OutsidersConfig, signal: AbortSignal): Promise<JoinedOutsiders> {
    const { host, runId, program } = this.#modules;
    this.#joins += 1;
    const unit = outsidersUnit(runId, this.#joins);
    const bytes = await program();
    const session = await host.session(outsidersCommand(unit, bytes), { signal, as: 'root' });
    const gone = session.ended.then((end) => Promise.reject(goneError(host.name, end)));
    const talk = new OutsidersTalk({ say: (line) => say(session, line), gone });
    const over = new AbortController();
    let leaving: Promise<void> | undefined;
    const leave = () => {
      over.abort();
      signal.removeEventListener('abort', onAbort);
      leaving ??= this.#end(session, unit).finally(() => this.#running.delete(joined));
      return leaving;
    };
    const onAbort = () => void leave().catch(() => {}); // close() tells
    const joined: JoinedOutsiders = {
      place: host.name,
      report: () => talk.report(signal),
      [Symbol.asyncDispose]: leave,
    };
    this.#running.add(joined);
    signal.addEventListener('abort', onAbort, { once: true });
    void listen(session, talk);
    try {
      say(session, programLine(bytes));
      await talk.begin(config, START_BUDGET_MS, signal);
    } catch (error) {
      await leave();
      throw error;
    }
    void this.#keepSpeaking(talk, over.signal);
    return joined;
  }

  async #keepSpeaking(talk: OutsidersTalk, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await this.#clock.sleep(SPEAK_EVERY_MS, over).catch(() => {});
      if (!over.aborted) await talk.report(over).catch(() => {}); // told to whoever asks for the next
    }
  }

  /** It ends with its input, or is made to; that it is gone is systemd's word. */
  async #end(session: HostSession, unit: string): Promise<void> {
    const { host } = this.#modules;
    const stopping = host.exec(['systemctl', 'stop', `${unit}.service`], {
      budgetMs: STOP_BUDGET_MS,
      signal: new AbortController().signal, // also when the run is told to end
      as: 'root',
    });
    // One that does not mind its input keeps the session open until systemd has ended it.
    const [{ code, stderr }] = await Promise.all([stopping, session[Symbol.asyncDispose]()]);
    if (code === 0 || code === NOT_LOADED) return;
    throw new FaultError('OUTSIDERS_LEFT', `${host.name}: ${unit} could not be stopped: ${stderr.trim()}`, {
      details: { host: host.name, unit },
    });
  }

  /** By which the host reaches each of these nodes; its own over loopback, since its mesh address may be a translated one. */
  async #addressesOf(names: readonly string[], signal: AbortSignal): Promise<readonly OutsiderAddress[]> {
    const { host, nodes } = this.#modules;
    const limits = { budgetMs: LOOK_UP_BUDGET_MS, signal };
    const limit = pLimit(LOOK_UPS_AT_ONCE);
    const found = names.map(async (name) => {
      const node = nodes.find((one) => one.name === name);
      if (node === undefined) throw new Error(`${name} is not a node of this mesh`);
      const { udpPort: port } = node;
      if (name === host.name) return { host: '127.0.0.1', port };
      const addresses = await limit(() => meshAddresses(node, host, limits));
      return { host: addresses.find((address) => isIPv4(address)) ?? addresses[0], port };
    });
    return await Promise.all(found);
  }
}

/** One that has ended gets nothing; `ended` tells of it. */
function say(session: HostSession, line: string): void {
  try {
    session.send(line);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
  }
}

/** Until the program's output ends, which `ended` tells too. */
async function listen({ lines }: HostSession, talk: OutsidersTalk): Promise<void> {
  try {
    for await (const line of lines) talk.heard(line);
  } catch {
    // a line beyond all bounds, or a lost connection: nothing is heard any more, so whoever asks is told
  }
}

function goneError(host: string, { code, stderr }: Awaited<HostSession['ended']>): FaultError {
  const why = code === null ? 'were given up: the connection to them was lost' : whyEnded(code, stderr);
  return new FaultError('OUTSIDERS_GONE', `the outsiders on ${host} ${why}`, { details: { host, code } });
}

function whyEnded(code: number, stderr: string): string {
  const said = (sudoProblem(code, stderr) ?? stderr.trim().split('\n').at(-1) ?? '').slice(0, SAID_MAX_CHARS);
  return `ended by themselves: ${said === '' ? `code ${code}` : said}`;
}
