/** The times and bounds of a transport, with the reason for each default. A test shortens the times. */
export interface TransportTuning {
  readonly idleTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly connectTimeoutMs: number;
  readonly helloTimeoutMs: number;
  readonly drainMs: number;
  readonly stallMs: number;
  readonly requestStallMs: number;
  readonly tickMs: number;
  readonly sendQueueBytesPerLink: number;
  readonly receiveBytesPerLink: number;
  readonly maxHalfOpenInbound: number;
  readonly maxLinks: number;
  readonly banMs: number;
  readonly streamsPerConnection: number;
  readonly datagramBytes: number;
  readonly loopbackDatagramBytes: number;
  readonly acknowledgeDelayMs: number;
  readonly acknowledgeEveryPackets: number;
}

export const DEFAULT_TUNING: TransportTuning = {
  idleTimeoutMs: 30_000,
  keepAliveMs: 15_000, // half of the idle timeout, so that one lost keep-alive is not a lost link
  connectTimeoutMs: 10_000,
  helloTimeoutMs: 5_000,
  drainMs: 5_000,
  stallMs: 10_000,
  requestStallMs: 10_000, // longer than the 6 s after which a sender gives a request up
  tickMs: 500,
  sendQueueBytesPerLink: 24 * 1024 * 1024, // one 16 MiB message and room for the rest
  receiveBytesPerLink: 64 * 1024 * 1024, // frames and requests that are not whole yet or wait for a handler
  maxHalfOpenInbound: 256,
  maxLinks: 512, // keys are free to make: without it strangers could hold any number of proven links
  banMs: 600_000, // as long as the strikes that lead to it are remembered; keys are free, so it only costs them one
  streamsPerConnection: 4_096, // of requests and their replies
  datagramBytes: 1_350, // fits an Ethernet path with tunnels; QUIC here does not probe for more
  // The loopback interface takes large packets whole; macOS allows 9,216 bytes, QUIC here 16,383.
  loopbackDatagramBytes: process.platform === 'linux' ? 16_000 : 9_000,
  acknowledgeDelayMs: 20, // RFC 9000's max_ack_delay of 25 ms, by which a sender waits longer, less a late timer
  acknowledgeEveryPackets: 2, // RFC 9000 13.2.2; also the least congestion window, so no sender waits for the delay
};

/** The congestion window that one stream or one connection may open at the receiver, quiche's own ceilings. */
export const WINDOWS = {
  initialStreamBytes: 1024 * 1024,
  maxStreamBytes: 16 * 1024 * 1024,
  initialConnectionBytes: 2 * 1024 * 1024,
  maxConnectionBytes: 24 * 1024 * 1024,
} as const;
