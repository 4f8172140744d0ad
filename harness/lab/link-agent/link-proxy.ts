import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { messageOf, UsageError } from '../../../kit/errors.ts';
import { DeliveryHeap } from './delivery-heap.ts';
import type { Packet } from './link.ts';
import type { Edge, LinkTable } from './link-table.ts';

const HOST = '127.0.0.1';
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024; // as the nodes ask for: a burst must not be lost in the kernel
/** Timers fire up to 1 ms late, so what is due within half of one goes now. */
const EARLY_MS = 0.5;

export interface Member {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** The socket that is the address by which `at` knows `to`. */
interface Door {
  readonly at: Member;
  readonly to: Member;
  readonly socket: Socket;
  readonly address: string;
}

interface Delivery {
  readonly edge: Edge;
  readonly packet: Packet;
  readonly arrived: (fate: 'delivered' | 'cut') => void;
}

/**
 * Carries datagrams between nodes over their links. A datagram from a node's own address that comes to its door of
 * another goes through the link between them and leaves from the other's door of it, so that each knows the other by
 * one address only. Anything from elsewhere is dropped and counted.
 */
export class LinkProxy {
  readonly #links: LinkTable;
  readonly #nowMs: () => number;
  readonly #members = new Map<string, Member>();
  readonly #doors = new Map<string, Door>();
  readonly #deliveries = new DeliveryHeap<Delivery>();
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  foreignDatagrams = 0;
  sendErrors = 0;

  constructor(links: LinkTable, nowMs: () => number) {
    this.#links = links;
    this.#nowMs = nowMs;
  }

  /**
   * Adds nodes, each linked with every other.
   * @throws UsageError `MEMBER_TWICE`
   */
  async open(newcomers: readonly Member[]): Promise<readonly { at: string; to: string; address: string }[]> {
    for (const member of newcomers) {
      if (this.#members.has(member.name))
        throw new UsageError('MEMBER_TWICE', `${member.name} is there already`);
      this.#members.set(member.name, member);
    }
    const members = [...this.#members.values()];
    const lacking = members.flatMap((at) =>
      members
        .filter((to) => to !== at && !this.#doors.has(doorKey(at.name, to.name)))
        .map((to) => ({ at, to })),
    );
    await Promise.all(lacking.map(({ at, to }) => this.#openDoor(at, to)));
    return lacking.map(({ at, to }) => ({
      at: at.name,
      to: to.name,
      address: this.#doors.get(doorKey(at.name, to.name))?.address ?? '',
    }));
  }

  /** Sends a packet of ours through a link. Tells at once when it is lost on the way in, else when it is at the far end. */
  probe(edge: Edge, bytes: number, arrived: (fate: 'delivered' | 'cut' | 'dropped') => void): void {
    if (!this.#enter(edge, { bytes, data: null }, arrived)) arrived('dropped');
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const { socket } of this.#doors.values()) socket.close();
    this.#doors.clear();
  }

  async #openDoor(at: Member, to: Member): Promise<void> {
    // The hosts are IP addresses: the lookup that dgram makes for each packet is answered on the spot.
    const socket = createSocket({ type: 'udp4', lookup: (host, _options, done) => done(null, host, 4) });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address: HOST, port: 0, exclusive: true }, resolve);
    });
    socket.removeAllListeners('error').on('error', () => {
      this.sendErrors += 1;
    });
    growBuffers(socket);
    const door = { at, to, socket, address: `${HOST}:${socket.address().port}` };
    const edge = [at.name, to.name] as const;
    this.#links.add(edge);
    this.#doors.set(doorKey(at.name, to.name), door);
    const deliver = this.#deliverer(edge);
    socket.on('message', (data: Buffer, from: RemoteInfo) => {
      if (from.port !== at.port || from.address !== at.host) {
        this.foreignDatagrams += 1;
        return;
      }
      this.#enter(edge, { bytes: data.length, data }, deliver(data));
    });
  }

  /** What hands a datagram of this link to the node at its far end. */
  #deliverer([from, to]: Edge): (data: Buffer) => Delivery['arrived'] {
    const sent = (error: Error | null) => {
      if (error !== null) this.sendErrors += 1;
    };
    return (data) => (fate) => {
      const door = this.#doors.get(doorKey(to, from));
      if (fate === 'delivered') door?.socket.send(data, door.at.port, door.at.host, sent);
    };
  }

  #enter(edge: Edge, packet: Packet, arrived: Delivery['arrived']): boolean {
    const nowMs = this.#nowMs();
    const fate = this.#links.offer(edge, packet, nowMs);
    if (typeof fate !== 'object') return false;
    this.#deliveries.push({ edge, packet, arrived }, fate.deliverAtMs);
    this.#deliverDue();
    return true;
  }

  readonly #deliverDue = (): void => {
    const untilMs = this.#nowMs() + EARLY_MS;
    for (;;) {
      const due = this.#deliveries.takeDue(untilMs);
      if (due === undefined) break;
      due.arrived(this.#links.get(due.edge)?.arrive(due.packet) ?? 'cut');
    }
    this.#setTimer();
  };

  #setTimer(): void {
    const nextAtMs = this.#deliveries.nextAtMs;
    if (nextAtMs === undefined || nextAtMs >= this.#timerAtMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = nextAtMs;
    this.#timer = setTimeout(() => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.#deliverDue();
    }, nextAtMs - this.#nowMs());
  }
}

function growBuffers(socket: Socket): void {
  for (const grow of [socket.setRecvBufferSize, socket.setSendBufferSize]) {
    try {
      grow.call(socket, SOCKET_BUFFER_BYTES);
    } catch (error) {
      process.stderr.write(`a socket has a small buffer, bursts may be lost: ${messageOf(error)}\n`);
    }
  }
}

function doorKey(at: string, to: string): string {
  return `${at} ${to}`;
}
