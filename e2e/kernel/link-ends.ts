// The two ends of a measured link, each a process in a network namespace: `echo ADDRESS…` answers, `probe` asks.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, isIPv6 } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { ECHO_PORT, type ProbeRequest, type ProbeResult, SINK_PORT, SSH_PORT } from './link-probe.ts';

const SOCKET_BYTES = 32 * 1024 * 1024; // a burst waits in the qdisc on the account of its socket

async function open(family: 'udp4' | 'udp6', address: string, port: number): Promise<Socket> {
  const socket = createSocket({ type: family, ipv6Only: family === 'udp6' });
  socket.bind(port, address);
  await once(socket, 'listening');
  socket.setSendBufferSize(SOCKET_BYTES);
  socket.setRecvBufferSize(SOCKET_BYTES);
  return socket;
}

const familyOf = (address: string) => (isIPv6(address) ? 'udp6' : 'udp4');

async function echo(addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    // A socket for each address: answers come from where the question went.
    const socket = await open(familyOf(address), address, ECHO_PORT);
    socket.on('message', (message, { port, address: to }) => socket.send(message, port, to));
    await open(familyOf(address), address, SINK_PORT);
    createServer((stream) => stream.pipe(stream).on('error', () => stream.destroy())).listen(
      SSH_PORT,
      address,
    );
  }
  process.stdout.write('ready\n');
}

async function overUdp({
  address,
  port,
  count,
  every_ms,
  bytes,
  patience_ms,
}: ProbeRequest): Promise<ProbeResult> {
  const socket = await open(familyOf(address), isIPv6(address) ? '::' : '0.0.0.0', 0);
  const sentAtMs: number[] = [];
  const arrivals: { readonly rtt_ms: number; readonly at_ms: number; readonly index: number }[] = [];
  const seen = new Set<number>();
  const { promise: all, resolve } = Promise.withResolvers<void>();
  socket.on('message', (message) => {
    const at_ms = performance.now();
    const index = message.readUInt32BE(0);
    if (seen.has(index)) return;
    seen.add(index);
    arrivals.push({ rtt_ms: at_ms - (sentAtMs[index] ?? at_ms), at_ms, index });
    if (arrivals.length === count) resolve();
  });
  for (let index = 0; index < count; index += 1) {
    const message = Buffer.alloc(bytes);
    message.writeUInt32BE(index, 0);
    sentAtMs.push(performance.now());
    socket.send(message, port, address);
    if (every_ms > 0) await sleep(every_ms);
  }
  await Promise.race([all, sleep(patience_ms)]);
  socket.close();
  return {
    rtts_ms: arrivals.map(({ rtt_ms }) => rtt_ms),
    spread_ms: (arrivals.at(-1)?.at_ms ?? 0) - (arrivals[0]?.at_ms ?? 0),
    overtaken: arrivals.filter(({ index }, at) => index < (arrivals[at - 1]?.index ?? 0)).length,
  };
}

/** One byte there and back, again and again, as the keys that somebody types. */
async function overTcp({ address, port, count, patience_ms }: ProbeRequest): Promise<ProbeResult> {
  const startMs = performance.now();
  const stream = connect({ host: address, port, noDelay: true, timeout: patience_ms });
  stream.on('timeout', () =>
    stream.destroy(new Error(`${address}:${port} was silent for ${patience_ms} ms`)),
  );
  await once(stream, 'connect');
  const rtts_ms: number[] = [];
  for (let sent = 0; sent < count; sent += 1) {
    const sentMs = performance.now();
    stream.write('.');
    await once(stream, 'data');
    rtts_ms.push(performance.now() - sentMs);
  }
  stream.destroy();
  return { rtts_ms, spread_ms: performance.now() - startMs, overtaken: 0 };
}

async function probe(): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const request: ProbeRequest = JSON.parse(line);
    const result = await (request.over === 'udp' ? overUdp(request) : overTcp(request));
    process.stdout.write(`${JSON.stringify(result)}\n`);
  }
}

const [role, ...addresses] = process.argv.slice(2);
await (role === 'echo' ? echo(addresses) : probe());
