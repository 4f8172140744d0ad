import * as z from 'zod';
import { counter, gauge, hex64, milliseconds, share } from './figures.ts';

const cryptoPool = z.strictObject({
  backend: z.enum(['native', 'noble']),
  workers: gauge,
  queue_depth: gauge,
  signs_total: counter,
  verifies_total: counter,
  sign_ms_p50: milliseconds.nullable(),
  sign_ms_p99: milliseconds.nullable(),
  verify_ms_p50: milliseconds.nullable(),
  verify_ms_p99: milliseconds.nullable(),
  verify_cache_hits: counter.nullable().describe('null: no such cache'),
});

/** `/diagnostics/runtime` without its envelope: the process itself. Percentiles are since the process started. */
export const runtimeDocumentSchema = z.strictObject({
  version: z.string(),
  node_version: z.string(),
  pid: gauge,
  bundle_sha256: hex64.nullable().describe('of the deployed bundle; null when started from a checkout'),
  event_loop_delay_ms: z.strictObject({
    p50: milliseconds.nullable(),
    p99: milliseconds.nullable(),
    max: milliseconds.nullable(),
  }),
  event_loop_utilization: share,
  heap_used_bytes: gauge,
  external_bytes: gauge,
  array_buffers_bytes: gauge,
  rss_bytes: gauge,
  cpu_user_ms: milliseconds.describe('of the whole process, monotonic'),
  cpu_system_ms: milliseconds.describe('of the whole process, monotonic'),
  open_fds: gauge.nullable().describe('null where the platform does not tell'),
  crypto_pool: cryptoPool,
  timers_active: gauge,
  active_resources: z.record(z.string(), gauge),
  unhandled_errors_total: counter.describe('errors that reached no handler; logged, and survived'),
  api: z.strictObject({
    sse_clients: gauge,
    sse_queued_bytes: gauge,
    sse_events_evicted_total: counter,
    requests_total: counter,
    unauthorized_total: counter,
    rejected_total: counter.describe('requests answered with a 4xx other than 401'),
    malformed_http_total: counter.describe('connections that did not speak HTTP'),
    timed_out_total: counter.describe(
      'requests that did not come in whole in time; their connections were ended',
    ),
    sse_budget_bytes: gauge.describe('what may wait for all event readers together'),
  }),
});
export type RuntimeDocument = z.infer<typeof runtimeDocumentSchema>;
