import { createSocket } from 'node:dgram';
import { promisify } from 'node:util';
import type { Random } from '../kit/random.ts';

const MAX_DATAGRAM_BYTES = 1_400;
const BATCH = 64; // sent before the next turn of the event loop, so that the kernel's buffer is not the only victim

/** A well-formed start of a QUIC v1 Initial packet (RFC 9000 17.2.2), with whatever follows. */
function initialPacket(random: Random, bytes: number): Uint8Array {
  const packet = random.bytes(bytes);
  packet.set([0xc3, 0, 0, 0, 1, 8].slice(0, bytes));
  return packet;
}

/** Sends `count` datagrams of garbage, empty ones and cut-off QUIC packets among them. */
export async function floodWithDatagrams(
  target: { readonly host: string; readonly port: number },
  count: number,
  random: Random,
): Promise<void> {
  const socket = createSocket('udp4');
  const send = promisify((datagram: Uint8Array, done: (error: Error | null) => void) =>
    socket.send(datagram, target.port, target.host, done),
  );
  try {
    for (let sent = 0; sent < count; sent += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, count - sent) }, (_, index) => {
        const bytes = random.int(0, MAX_DATAGRAM_BYTES);
        return index % 2 === 0 ? random.bytes(bytes) : initialPacket(random, bytes);
      });
      await Promise.all(batch.map((datagram) => send(datagram)));
    }
  } finally {
    socket.close();
  }
}
