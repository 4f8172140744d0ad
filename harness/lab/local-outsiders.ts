import { FaultError } from '../../kit/errors.ts';
import type { JoinedOutsiders, OutsiderKind } from '../../scenarios/outsiders.ts';
import type { OutsiderPlace } from '../fleet/mesh-host.ts';
import { OutsidersTalk } from '../outsiders/outsiders-talk.ts';
import { outsidersProgram } from '../outsiders/program-file.ts';
import { type OutsiderAddress, type OutsidersConfig, requireRoom } from '../outsiders/protocol.ts';
import { MeshChild } from './child-process.ts';
import { freePorts } from './free-ports.ts';
import type { LocalLinks } from './local-links.ts';

const HOST = '127.0.0.1';
const START_BUDGET_MS = 15_000; // two busy cores
const LEAVE_GRACE_MS = 3_000;

interface OutsiderModules {
  readonly networkId: string;
  /** The UDP address of each node. */
  readonly nodes: () => ReadonlyMap<string, OutsiderAddress>;
  /** What the nodes are reached through, where there is something. */
  readonly links: () => LocalLinks | undefined;
}

interface Seat extends OutsiderAddress {
  /** No node can be called so. */
  readonly name: string;
}

/**
 * A place for hostile programs beside a local mesh. They come over loopback, or over links of their own that do nothing.
 * Their addresses stay theirs over joins, since links are never taken away.
 */
export class LocalOutsiders implements OutsiderPlace {
  readonly #modules: OutsiderModules;
  readonly #seats: Seat[] = [];
  readonly #running = new Set<MeshChild>();

  constructor(modules: OutsiderModules) {
    this.#modules = modules;
  }

  /** @throws FaultError `OUTSIDERS_UNAVAILABLE` when too many are wanted, or their program does not start */
  async join(
    request: {
      readonly kinds: readonly OutsiderKind[];
      readonly targets: readonly string[];
      readonly seed: number;
    },
    signal: AbortSignal,
  ): Promise<JoinedOutsiders> {
    const { kinds, targets, seed } = request;
    requireRoom(kinds);
    const seats = await this.#seatsFor(kinds.length, signal);
    const outsiders = kinds.map((kind, index) => {
      const seat = seats[index];
      if (seat === undefined) throw new Error('no seat');
      const { host, port } = seat;
      return { kind, bind: { host, port }, targets: targets.map((node) => this.#wayTo(node, seat)) };
    });
    const config = { network_id: this.#modules.networkId, seed, silence_max_ms: null, outsiders };
    return await this.#start(config, signal);
  }

  /** Ends every program that is still there. */
  async close(): Promise<void> {
    await Promise.all([...this.#running].map((child) => child.stop(LEAVE_GRACE_MS)));
  }

  async #start(config: OutsidersConfig, signal: AbortSignal): Promise<JoinedOutsiders> {
    const child = new MeshChild('outsiders', [outsidersProgram()], { onLine: (line) => talk.heard(line) });
    const gone = child.exited.then(() => Promise.reject(goneError(child)));
    const talk = new OutsidersTalk({ say: (line) => child.send(line), gone });
    this.#running.add(child);
    void child.exited.then(() => this.#running.delete(child));
    const onAbort = () => void child.stop(LEAVE_GRACE_MS).catch(() => {}); // close() tells
    signal.addEventListener('abort', onAbort, { once: true });
    const leave = async () => {
      signal.removeEventListener('abort', onAbort);
      await child.stop(LEAVE_GRACE_MS);
    };
    try {
      child.send(JSON.stringify(config));
      await child.listening(START_BUDGET_MS, signal);
    } catch (cause) {
      await leave();
      signal.throwIfAborted();
      throw new FaultError('OUTSIDERS_UNAVAILABLE', 'the outsiders did not start', { cause });
    }
    return {
      place: 'this machine',
      report: () => talk.report(signal),
      [Symbol.asyncDispose]: leave,
    };
  }

  async #seatsFor(count: number, signal: AbortSignal): Promise<readonly Seat[]> {
    const lacking = Math.max(0, count - this.#seats.length);
    const ports = await freePorts('udp', HOST, lacking);
    const fresh = ports.map((port, index) => ({
      name: `outsider/${this.#seats.length + index + 1}`,
      host: HOST,
      port,
    }));
    if (fresh.length > 0) await this.#modules.links()?.open(fresh, signal);
    this.#seats.push(...fresh);
    return this.#seats;
  }

  /** The address by which `seat` reaches a node. */
  #wayTo(node: string, seat: Seat): OutsiderAddress {
    const links = this.#modules.links();
    const address = links === undefined ? this.#modules.nodes().get(node) : links.doorTo(seat.name, node);
    if (address === undefined) throw new Error(`${node} is not a node of this mesh`);
    return address;
  }
}

function goneError({ exit }: MeshChild): FaultError {
  const why = exit?.lastWords.at(-1) ?? `code ${exit?.code ?? null}, signal ${exit?.signal ?? null}`;
  return new FaultError('OUTSIDERS_GONE', `the outsiders ended by themselves: ${why}`);
}
