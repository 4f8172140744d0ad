import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { withinBudget } from '../../kit/deadline.ts';
import { FaultError } from '../../kit/errors.ts';
import type { JoinedOutsiders, OutsiderKind, OutsiderReport } from '../../scenarios/outsiders.ts';
import type { OutsiderPlace } from '../fleet/mesh-host.ts';
import { MeshChild } from './child-process.ts';
import { freePorts } from './free-ports.ts';
import type { LocalLinks } from './local-links.ts';
import {
  OUTSIDERS_MAX,
  type OutsiderAddress,
  type OutsidersConfig,
  type OutsidersReport,
  outsidersReport,
} from './outsiders/protocol.ts';

const HOST = '127.0.0.1';
const START_BUDGET_MS = 15_000; // two busy cores
const REPORT_BUDGET_MS = 5_000; // the program may be busy with its attack
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
    if (kinds.length > OUTSIDERS_MAX) {
      const why = `${kinds.length} outsiders are more than the ${OUTSIDERS_MAX} that there is room for`;
      throw new FaultError('OUTSIDERS_UNAVAILABLE', why);
    }
    const seats = await this.#seatsFor(kinds.length, signal);
    const outsiders = kinds.map((kind, index) => {
      const seat = seats[index];
      if (seat === undefined) throw new Error('no seat');
      const { host, port } = seat;
      return { kind, bind: { host, port }, targets: targets.map((node) => this.#wayTo(node, seat)) };
    });
    return await this.#start({ network_id: this.#modules.networkId, seed, outsiders }, signal);
  }

  /** Ends every program that is still there. */
  async close(): Promise<void> {
    await Promise.all([...this.#running].map((child) => child.stop(LEAVE_GRACE_MS)));
  }

  async #start(config: OutsidersConfig, signal: AbortSignal): Promise<JoinedOutsiders> {
    const waiting: ((line: string) => void)[] = [];
    const child = new MeshChild('outsiders', [programPath(), JSON.stringify(config)], {
      onLine: (line) => waiting.shift()?.(line),
    });
    this.#running.add(child);
    void child.exited.then(() => this.#running.delete(child));
    const onAbort = () => void child.stop(LEAVE_GRACE_MS).catch(() => {}); // close() tells
    signal.addEventListener('abort', onAbort, { once: true });
    const leave = async () => {
      signal.removeEventListener('abort', onAbort);
      await child.stop(LEAVE_GRACE_MS);
    };
    try {
      await child.listening(START_BUDGET_MS, signal);
    } catch (cause) {
      await leave();
      signal.throwIfAborted();
      throw new FaultError('OUTSIDERS_UNAVAILABLE', 'the outsiders did not start', { cause });
    }
    return {
      async report(): Promise<readonly OutsiderReport[]> {
        if (child.exit !== undefined) throw goneError(child);
        const answer = new Promise<string>((resolve) => waiting.push(resolve));
        child.send('report');
        const gone = child.exited.then(() => Promise.reject(goneError(child)));
        gone.catch(() => {});
        const said = () => Promise.race([answer, gone]);
        return reportsOf(
          outsidersReport.parse(
            JSON.parse(await withinBudget('the report of the outsiders', REPORT_BUDGET_MS, said, signal)),
          ),
        );
      },
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

function reportsOf(reports: OutsidersReport): readonly OutsiderReport[] {
  return reports.map(({ kind, dialled, handshakes, refused, frames_sent, closed_by_peer }) => ({
    kind,
    dialled,
    handshakes,
    refused,
    framesSent: frames_sent,
    closedByPeer: closed_by_peer,
  }));
}

function goneError({ exit }: MeshChild): FaultError {
  const why = exit?.lastWords.at(-1) ?? `code ${exit?.code ?? null}, signal ${exit?.signal ?? null}`;
  return new FaultError('OUTSIDERS_GONE', `the outsiders ended by themselves: ${why}`);
}

/** Beside the built command in a package, a source in a checkout. */
function programPath(): string {
  const built = join(import.meta.dirname, 'outsiders.js');
  return existsSync(built) ? built : join(import.meta.dirname, 'outsiders/main.ts');
}
