import * as z from 'zod';

/**
 * How one directed link behaves. Delays are one-way. A rate holds for this pair alone: two peers of a node do not share
 * an access line here.
 */
export interface LinkFigures {
  readonly latencyMs: number;
  /** Standard deviation of a normal distribution around the latency. */
  readonly jitterMs: number;
  /** Share of packets that are lost, each by itself. */
  readonly lossRatio: number;
  readonly rateKbit: number | null;
  /** What may wait for the rate; what comes on top is dropped. */
  readonly queueBytes: number;
  /** Share of packets that come `reorderByMs` late and are overtaken meanwhile. */
  readonly reorderRatio: number;
  readonly reorderByMs: number;
}

/** Two seconds at 1 Mbit/s, 20 ms at 100 Mbit/s: what home routers hold; and room for packets of a loopback mesh. */
const DEFAULT_QUEUE_BYTES = 256 * 1024;

/** A link that does nothing to its packets. */
export const UNTOUCHED: LinkFigures = {
  latencyMs: 0,
  jitterMs: 0,
  lossRatio: 0,
  rateKbit: null,
  queueBytes: DEFAULT_QUEUE_BYTES,
  reorderRatio: 0,
  reorderByMs: 5,
};

const DELAY_MAX_MS = 60_000;
const delayMs = z.number().min(0).max(DELAY_MAX_MS);
const ratio = z.number().min(0).max(1);
const rateKbit = z.number().min(1).max(100_000_000);

/** The names of the figures on the wire and in files, with their bounds; what is left out does nothing. */
export const figureFields = {
  latency_ms: delayMs.default(UNTOUCHED.latencyMs),
  jitter_ms: delayMs.default(UNTOUCHED.jitterMs),
  loss_ratio: ratio.default(UNTOUCHED.lossRatio),
  rate_kbit: rateKbit.nullable().default(UNTOUCHED.rateKbit),
  queue_bytes: z
    .int()
    .min(2_048)
    .max(64 * 1024 * 1024)
    .default(UNTOUCHED.queueBytes),
  reorder_ratio: ratio.default(UNTOUCHED.reorderRatio),
  reorder_by_ms: delayMs.default(UNTOUCHED.reorderByMs),
};
export const wireFigures = z.strictObject(figureFields);
export type WireFigures = z.infer<typeof wireFigures>;

/** What a fault adds to a link. */
export const wireShape = z.strictObject({
  delay_ms: delayMs,
  jitter_ms: delayMs,
  loss_ratio: ratio,
  rate_kbit: rateKbit.nullable(),
});
export type WireShape = z.infer<typeof wireShape>;

export function figuresFromWire(wire: WireFigures): LinkFigures {
  return {
    latencyMs: wire.latency_ms,
    jitterMs: wire.jitter_ms,
    lossRatio: wire.loss_ratio,
    rateKbit: wire.rate_kbit,
    queueBytes: wire.queue_bytes,
    reorderRatio: wire.reorder_ratio,
    reorderByMs: wire.reorder_by_ms,
  };
}

export function figuresToWire(figures: LinkFigures): WireFigures {
  return {
    latency_ms: figures.latencyMs,
    jitter_ms: figures.jitterMs,
    loss_ratio: figures.lossRatio,
    rate_kbit: figures.rateKbit,
    queue_bytes: figures.queueBytes,
    reorder_ratio: figures.reorderRatio,
    reorder_by_ms: figures.reorderByMs,
  };
}

/** A link with faults on top: delays add, independent jitters add by their squares, the smallest rate holds. */
export function underFaults(base: LinkFigures, faults: readonly WireShape[]): LinkFigures {
  let { latencyMs, jitterMs, lossRatio, rateKbit } = base;
  for (const fault of faults) {
    latencyMs += fault.delay_ms;
    jitterMs = Math.hypot(jitterMs, fault.jitter_ms);
    lossRatio = 1 - (1 - lossRatio) * (1 - fault.loss_ratio);
    rateKbit = smaller(rateKbit, fault.rate_kbit);
  }
  return { ...base, latencyMs, jitterMs, lossRatio, rateKbit };
}

function smaller(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}
