import { createSocket, type Socket } from 'node:dgram';
import type { SocketFactory } from './udp-socket.ts';

const CONNECTION_ID_BYTES = 16;
const LONG_HEADER = 0x80;

/** Loses datagrams of one node on their way out, as a test asks; for tests on the loopback interface. */
export class ImpairedSocket {
  readonly #seen = new Set<string>();
  #dead: ReadonlySet<string> = new Set();
  #largestBytes = Number.POSITIVE_INFINITY;
  lostTotal = 0;

  /** Whatever is larger vanishes; what is not passes. */
  passOnlyUpTo(bytes: number): void {
    this.#largestBytes = bytes;
  }

  /** All that goes to the connections of now vanishes, as behind a forgotten NAT mapping; new connections work. */
  forgetConnections(): void {
    this.#dead = new Set(this.#seen);
  }

  readonly factory: SocketFactory = (options) => {
    const socket = createSocket(options);
    const send: Socket['send'] = socket.send.bind(socket);
    const impaired = (...args: unknown[]): void => {
      const [packet, offset, bytes] = args;
      const callback = args.at(-1);
      if (Buffer.isBuffer(packet) && typeof offset === 'number' && typeof bytes === 'number') {
        if (this.#isLost(packet.subarray(offset, offset + bytes))) {
          this.lostTotal += 1;
          if (typeof callback === 'function') callback(null, bytes);
          return;
        }
      }
      Reflect.apply(send, socket, args);
    };
    return Object.assign(socket, { send: impaired });
  };

  #isLost(packet: Buffer): boolean {
    const isLong = ((packet[0] ?? 0) & LONG_HEADER) !== 0;
    const id = isLong ? undefined : packet.toString('latin1', 1, 1 + CONNECTION_ID_BYTES);
    if (id !== undefined) this.#seen.add(id);
    return packet.length > this.#largestBytes || (id !== undefined && this.#dead.has(id));
  }
}
