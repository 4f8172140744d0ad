import type { Outbound } from './outbound.ts';
import type { ReceivePump } from './receive-pump.ts';
import { START_WORKERS, type Supervision, superviseWorkers } from './supervisor.ts';

interface Totals {
  readonly atMs: number;
  readonly produced: number;
  readonly dequeued: number;
  readonly droppedFull: number;
  readonly pauses: number;
  readonly timedOut: number;
  readonly sendTimeouts: number;
  readonly handled: number;
  readonly handlingMs: number;
}

/** Samples the receive pump for the supervisor and sets its number of concurrent handlers. */
export class WorkerSupervisor {
  readonly #modules: { readonly pump: ReceivePump; readonly outbound: Outbound };
  #supervision: Supervision = { workers: START_WORKERS, healthyIntervals: 0 };
  #last: Totals | undefined;

  constructor(modules: { readonly pump: ReceivePump; readonly outbound: Outbound }) {
    this.#modules = modules;
  }

  supervise(nowMs: number): void {
    const { pump } = this.#modules;
    const now = this.#totals(nowMs);
    const last = this.#last;
    this.#last = now;
    if (!last || now.atMs <= last.atMs) return;
    const handled = now.handled - last.handled;
    this.#supervision = superviseWorkers(this.#supervision, {
      intervalSecs: (now.atMs - last.atMs) / 1_000,
      produced: now.produced - last.produced,
      dequeued: now.dequeued - last.dequeued,
      droppedFull: now.droppedFull - last.droppedFull,
      pauses: now.pauses - last.pauses,
      depth: pump.depth,
      capacity: pump.capacity,
      meanHandlerMs: handled > 0 ? (now.handlingMs - last.handlingMs) / handled : 0,
      watchdogTimeouts: now.timedOut - last.timedOut,
      sendTimeouts: now.sendTimeouts - last.sendTimeouts,
    });
    pump.workers = this.#supervision.workers;
  }

  #totals(atMs: number): Totals {
    const { pump, outbound } = this.#modules;
    const { produced, dequeued, droppedFull, pauses, timedOut } = pump.counts;
    return {
      atMs,
      produced,
      dequeued,
      droppedFull,
      pauses,
      timedOut,
      sendTimeouts: outbound.counts.timeouts,
      handled: pump.handling.count,
      handlingMs: pump.handling.totalMs,
    };
  }
}
