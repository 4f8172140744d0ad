import { performance } from 'node:perf_hooks';

// The part of a gossip benchmark's peer process that is the same for every system measured: it follows the orders of
// `gossip.ts` over the process channel, counts deliveries, and accounts its own CPU time.

/** One system's peer, as the benchmark drives it. */
export interface BenchPeer {
  readonly address: string;
  connect(addresses: readonly string[]): Promise<unknown>;
  /** Other peers that would be sent a message of the topic. */
  links(): number;
  publish(payload: Uint8Array): Promise<unknown>;
  stop(): Promise<unknown>;
}

export type Order =
  | { readonly order: 'connect'; readonly addresses: readonly string[] }
  | { readonly order: 'links' }
  | {
      readonly order: 'publish';
      readonly perSecond: number;
      readonly seconds: number;
      readonly payloadBytes: number;
    }
  | { readonly order: 'report' }
  | { readonly order: 'stop' };

/** What a peer did since the last report. CPU is user and system time of the whole process. */
export interface PeerReport {
  readonly published: number;
  readonly failed: number;
  readonly delivered: number;
  readonly cpuMs: number;
  readonly latenciesMs: readonly number[];
}

const STAMP_BYTES = 8;

/** Starts a peer by `start`, which is given what to call for each message delivered, and obeys until told to stop. */
export async function servePeer(
  start: (deliver: (payload: Uint8Array) => void) => Promise<BenchPeer>,
): Promise<void> {
  let latenciesMs: number[] = [];
  let [published, failed] = [0, 0];
  let cpu = process.cpuUsage();
  const nowMs = () => performance.timeOrigin + performance.now();

  const peer = await start((payload) => {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    latenciesMs.push(nowMs() - view.getFloat64(0));
  });

  const publish = async ({ perSecond, seconds, payloadBytes }: Extract<Order, { order: 'publish' }>) => {
    const startMs = performance.now();
    const total = Math.round(perSecond * seconds);
    for (let seq = 0; seq < total; seq += 1) {
      const dueMs = startMs + (seq * 1_000) / perSecond;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      const payload = new Uint8Array(payloadBytes);
      const view = new DataView(payload.buffer);
      view.setFloat64(0, nowMs());
      view.setUint32(STAMP_BYTES, seq);
      published += 1;
      peer.publish(payload).catch(() => {
        failed += 1;
      });
    }
  };

  const obey = async (order: Order): Promise<unknown> => {
    switch (order.order) {
      case 'connect':
        await peer.connect(order.addresses);
        return null;
      case 'links':
        return peer.links();
      case 'publish':
        await publish(order);
        return null;
      case 'report': {
        const used = process.cpuUsage(cpu);
        const report: PeerReport = {
          published,
          failed,
          delivered: latenciesMs.length,
          cpuMs: (used.user + used.system) / 1_000,
          latenciesMs,
        };
        latenciesMs = [];
        [published, failed] = [0, 0];
        cpu = process.cpuUsage();
        return report;
      }
      case 'stop':
        await peer.stop();
        process.disconnect();
        return null;
    }
  };

  process.on('message', (message: { id: number } & Order) => {
    obey(message).then(
      (answer) => process.connected && process.send?.({ id: message.id, answer }),
      (error: unknown) => process.send?.({ id: message.id, error: String(error) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.({ id: 0, answer: peer.address });
}
