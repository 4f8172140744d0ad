import { readdir } from 'node:fs/promises';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { SigningStats } from '../../kit/signing.ts';
import type { ApiStats } from '../api/api-server.ts';
import type { RuntimeDocument } from '../api/schema/runtime.ts';

const LOOP_RESOLUTION_MS = 20;
const NS_PER_MS = 1e6;

interface RuntimeSources {
  readonly version: string;
  /** Digest of the bundle that this process runs from; null when there is none. */
  readonly bundleSha256: string | null;
  readonly signing: () => SigningStats;
  readonly api: () => ApiStats;
  readonly unhandledErrors: () => number;
}

/** Watches the process itself; `document` is what `/diagnostics/runtime` serves. */
export class RuntimeMonitor {
  readonly #sources: RuntimeSources;
  #loopDelay: ReturnType<typeof monitorEventLoopDelay> | undefined;

  constructor(sources: RuntimeSources) {
    this.#sources = sources;
  }

  start(): void {
    this.#loopDelay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
    this.#loopDelay.enable();
  }

  stop(): void {
    this.#loopDelay?.disable();
  }

  async document(): Promise<RuntimeDocument> {
    const memory = process.memoryUsage();
    const cpu = process.cpuUsage();
    const resources = process.getActiveResourcesInfo();
    return {
      version: this.#sources.version,
      node_version: process.version,
      pid: process.pid,
      bundle_sha256: this.#sources.bundleSha256,
      event_loop_delay_ms: this.#delays(),
      event_loop_utilization: performance.eventLoopUtilization().utilization,
      heap_used_bytes: memory.heapUsed,
      external_bytes: memory.external,
      array_buffers_bytes: memory.arrayBuffers,
      rss_bytes: memory.rss,
      cpu_user_ms: cpu.user / 1_000,
      cpu_system_ms: cpu.system / 1_000,
      open_fds: await openFds(),
      crypto_pool: cryptoPool(this.#sources.signing()),
      timers_active: resources.filter((name) => name === 'Timeout').length,
      active_resources: countByName(resources),
      unhandled_errors_total: this.#sources.unhandledErrors(),
      api: apiFigures(this.#sources.api()),
    };
  }

  #delays(): RuntimeDocument['event_loop_delay_ms'] {
    const histogram = this.#loopDelay;
    if (histogram === undefined || histogram.count === 0) return { p50: null, p99: null, max: null };
    // The histogram holds whole intervals between ticks; the delay is what came on top of the resolution.
    const delayMs = (ns: number) => Math.max(0, ns / NS_PER_MS - LOOP_RESOLUTION_MS);
    return {
      p50: delayMs(histogram.percentile(50)),
      p99: delayMs(histogram.percentile(99)),
      max: delayMs(histogram.max),
    };
  }
}

function cryptoPool(stats: SigningStats): RuntimeDocument['crypto_pool'] {
  return {
    backend: stats.backend,
    workers: stats.workers,
    queue_depth: stats.queueDepth,
    signs_total: stats.signsTotal,
    verifies_total: stats.verifiesTotal,
    sign_ms_p50: stats.signMs.p50,
    sign_ms_p99: stats.signMs.p99,
    verify_ms_p50: stats.verifyMs.p50,
    verify_ms_p99: stats.verifyMs.p99,
    verify_cache_hits: null,
  };
}

function apiFigures(stats: ApiStats): RuntimeDocument['api'] {
  return {
    sse_clients: stats.sseClients,
    sse_queued_bytes: stats.sseQueuedBytes,
    sse_events_evicted_total: stats.sseEventsEvictedTotal,
    requests_total: stats.requestsTotal,
    unauthorized_total: stats.unauthorizedTotal,
    rejected_total: stats.rejectedTotal,
    malformed_http_total: stats.malformedHttpTotal,
    timed_out_total: stats.timedOutTotal,
    sse_budget_bytes: stats.sseBudgetBytes,
  };
}

function countByName(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** Linux tells through /proc; elsewhere, or when it cannot be read, the count is not known. */
async function openFds(): Promise<number | null> {
  if (process.platform !== 'linux') return null;
  try {
    return (await readdir('/proc/self/fd')).length - 1; // less the one that reads the directory
  } catch {
    return null;
  }
}
