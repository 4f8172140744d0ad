import { type ChildProcess, fork } from 'node:child_process';
import { createHmac, randomFillSync, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import Logger, { LogLevel } from '@matrixai/logger';
import { events, QUICClient, QUICServer } from '@matrixai/quic';
import pino from 'pino';
import { realClock } from '../kit/clock.ts';
import { createSigning } from '../kit/create-signing.ts';
import { withinBudget } from '../kit/deadline.ts';
import { sha256Hex } from '../kit/hash.ts';
import { createProcessCertificate } from '../node/transport/certificate.ts';
import { QuicTransport } from '../node/transport/quic-transport.ts';

// Our driver of the native QUIC binding against the stock QUICClient and QUICServer of the same package. Client and
// server are separate processes on loopback; each measurement is bounded in time. Ours is measured with the stock
// packet size too, since on loopback it sends larger packets by default.

const REQUEST_BYTES = 4_096;
const CONCURRENT = 8;
const BULK_WRITE_BYTES = 64 * 1024;
const MEASURE_MS = 3_000;
const WARM_UP_MS = 500;
const STOCK_PACKET_BYTES = 1_350;
const SYSTEMS = ['stock', 'ours-same-packets', 'ours'] as const;
type System = (typeof SYSTEMS)[number];

// Left alone, the stock classes write several lines per stream, which would be measured too.
const silent = new Logger('stock', LogLevel.SILENT);

/** What the benchmark asks of a connected client. */
interface BenchClient {
  request(body: Uint8Array): Promise<unknown>;
  /** Writes until `untilMs` and waits for the last byte to have arrived; gives the bytes. */
  bulk(untilMs: number): Promise<number>;
  close(): Promise<unknown>;
}

interface Figures {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly bulkMegabytesPerSecond: number;
  readonly serverCpuMicrosPerRequest: number;
}

/** Runs the benchmark and prints its figures. */
export async function run(): Promise<void> {
  const figures = new Map<System, Figures>();
  for (const system of SYSTEMS) {
    const measured = await withinBudget(`bench of ${system}`, 60_000, () => measure(system));
    figures.set(system, measured);
    console.log(
      `transport: ${system.padEnd(18)} ${measured.requestsPerSecond.toFixed(0).padStart(6)} requests/s at ${CONCURRENT}` +
        `   p50 ${measured.p50Ms.toFixed(2)} ms   server CPU ${measured.serverCpuMicrosPerRequest.toFixed(0)} µs/request` +
        `   bulk ${measured.bulkMegabytesPerSecond.toFixed(1)} MB/s`,
    );
  }
  const stock = figures.get('stock');
  for (const [system, ours] of figures) {
    if (!stock || system === 'stock') continue;
    const requests = ours.requestsPerSecond / stock.requestsPerSecond;
    const bulk = ours.bulkMegabytesPerSecond / stock.bulkMegabytesPerSecond;
    console.log(
      `transport: ${system} / stock   requests ${requests.toFixed(1)}x (aim 8)   bulk ${bulk.toFixed(1)}x (aim 15)`,
    );
  }
}

async function measure(system: System): Promise<Figures> {
  const server = fork(import.meta.filename, ['serve', system]);
  try {
    const port = await answerOf(server, 'listening');
    const client = await (system === 'stock' ? stockClient(port) : ourClient(system, port));
    await requestsUntil(client, performance.now() + WARM_UP_MS);
    const cpuBefore = await cpuOf(server);
    const startMs = performance.now();
    const latenciesMs = await requestsUntil(client, startMs + MEASURE_MS);
    const requestsMs = performance.now() - startMs;
    const cpuMicros = (await cpuOf(server)) - cpuBefore;
    const bulkStartMs = performance.now();
    const bytes = await client.bulk(bulkStartMs + MEASURE_MS);
    const bulkSeconds = (performance.now() - bulkStartMs) / 1_000;
    await client.close();
    latenciesMs.sort((a, b) => a - b);
    return {
      requestsPerSecond: latenciesMs.length / (requestsMs / 1_000),
      p50Ms: latenciesMs[latenciesMs.length >> 1] ?? Number.NaN,
      bulkMegabytesPerSecond: bytes / 1_000_000 / bulkSeconds,
      serverCpuMicrosPerRequest: cpuMicros / latenciesMs.length,
    };
  } finally {
    server.kill('SIGKILL');
  }
}

async function requestsUntil(client: BenchClient, untilMs: number): Promise<number[]> {
  const latenciesMs: number[] = [];
  const body = new Uint8Array(REQUEST_BYTES).fill(7);
  await Promise.all(
    Array.from({ length: CONCURRENT }, async () => {
      while (performance.now() < untilMs) {
        const startMs = performance.now();
        await client.request(body);
        latenciesMs.push(performance.now() - startMs);
      }
    }),
  );
  return latenciesMs;
}

async function cpuOf(server: ChildProcess): Promise<number> {
  server.send('cpu');
  return await answerOf(server, 'cpu');
}

async function answerOf(server: ChildProcess, kind: string): Promise<number> {
  for (;;) {
    const [message] = await once(server, 'message');
    if (message?.kind === kind) return message.value;
  }
}

async function ourTransport(system: System): Promise<QuicTransport> {
  const signing = await createSigning();
  const identity = async () => {
    const signer = await signing.signer(signing.freshSeed());
    const { publicKey } = signer;
    return { publicKey, id: sha256Hex(publicKey), sign: (message: Uint8Array) => signer.sign(message) };
  };
  return new QuicTransport(
    {
      bind: { host: '127.0.0.1', port: 0 },
      networkId: 'bench',
      tuning: system === 'ours' ? {} : { loopbackDatagramBytes: STOCK_PACKET_BYTES },
    },
    {
      machine: await identity(),
      agent: await identity(),
      signing,
      clock: realClock,
      log: pino({ level: 'silent' }),
    },
  );
}

async function ourClient(system: System, port: number): Promise<BenchClient> {
  const transport = await ourTransport(system);
  const { signal } = new AbortController();
  await transport.start();
  const { peerId } = await transport.dial({ host: '127.0.0.1', port }, { signal });
  return {
    request: (body) => transport.request(peerId, body, signal),
    async bulk(untilMs) {
      const chunk = new Uint8Array(BULK_WRITE_BYTES);
      let bytes = 0;
      while (performance.now() < untilMs) {
        await transport.send(peerId, 'bulk', chunk, signal);
        bytes += chunk.length;
      }
      const asked = new Uint8Array(8);
      new DataView(asked.buffer).setFloat64(0, bytes);
      await transport.request(peerId, asked, signal); // answered once all of it has arrived
      return bytes;
    },
    close: () => transport.stop(),
  };
}

async function serveOurs(system: System): Promise<number> {
  const transport = await ourTransport(system);
  let bulkBytes = 0;
  let waiting: { readonly bytes: number; readonly done: () => void } | undefined;
  const wake = () => {
    if (waiting && bulkBytes >= waiting.bytes) waiting.done();
  };
  transport.onFrame('bulk', (_link, frame) => {
    bulkBytes += frame.length;
    wake();
  });
  transport.onRequest(async (_link, body) => {
    if (body.length === REQUEST_BYTES) return body.subarray(0, 1);
    const bytes = new DataView(body.buffer, body.byteOffset).getFloat64(0);
    await new Promise<void>((done) => {
      waiting = { bytes, done };
      wake();
    });
    return body.subarray(0, 1);
  });
  return (await transport.start()).port;
}

async function stockClient(port: number): Promise<BenchClient> {
  const client = await QUICClient.createQUICClient({
    host: '127.0.0.1',
    port,
    localHost: '127.0.0.1',
    crypto: { ops: { randomBytes: async (data) => void randomFillSync(new Uint8Array(data)) } },
    config: { verifyPeer: false, maxIdleTimeout: 30_000 },
    logger: silent,
  });
  const exchange = async (write: (writer: WritableStreamDefaultWriter<Uint8Array>) => Promise<unknown>) => {
    const stream = client.connection.newStream('bidi');
    const writer = stream.writable.getWriter();
    await write(writer);
    await writer.close();
    for await (const _ of stream.readable) void _;
  };
  return {
    request: (body) => exchange((writer) => writer.write(body)),
    async bulk(untilMs) {
      const chunk = new Uint8Array(BULK_WRITE_BYTES);
      let bytes = 0;
      await exchange(async (writer) => {
        while (performance.now() < untilMs) {
          await writer.write(chunk);
          bytes += chunk.length;
        }
      });
      return bytes;
    },
    close: () => client.destroy({ force: true }),
  };
}

async function serveStock(): Promise<number> {
  const { certificatePem, privateKeyPem } = createProcessCertificate();
  const hmac = (key: ArrayBuffer, data: ArrayBuffer) =>
    createHmac('sha256', new Uint8Array(key)).update(new Uint8Array(data)).digest();
  const server = new QUICServer({
    crypto: {
      key: new Uint8Array(32).buffer,
      ops: {
        sign: async (key, data) => new Uint8Array(hmac(key, data)).buffer,
        verify: async (key, data, signature) => timingSafeEqual(hmac(key, data), new Uint8Array(signature)),
      },
    },
    config: { key: privateKeyPem, cert: certificatePem, verifyPeer: false, maxIdleTimeout: 30_000 },
    logger: silent,
  });
  server.addEventListener(events.EventQUICServerConnection.name, (evt: Event) => {
    if (!(evt instanceof events.EventQUICServerConnection)) return;
    evt.detail.addEventListener(events.EventQUICConnectionStream.name, async (streamEvent: Event) => {
      if (!(streamEvent instanceof events.EventQUICConnectionStream)) return;
      const stream = streamEvent.detail;
      for await (const _ of stream.readable) void _;
      const writer = stream.writable.getWriter();
      await writer.write(new Uint8Array(1));
      await writer.close();
    });
  });
  await server.start({ host: '127.0.0.1', port: 0 });
  return server.port;
}

if (import.meta.main && process.argv[2] === 'serve') {
  const system = SYSTEMS.find((name) => name === process.argv[3]) ?? 'ours';
  process.on('message', () => {
    const { user, system: kernel } = process.cpuUsage();
    process.send?.({ kind: 'cpu', value: user + kernel });
  });
  process.once('disconnect', () => process.exit());
  process.send?.({ kind: 'listening', value: await (system === 'stock' ? serveStock() : serveOurs(system)) });
}
