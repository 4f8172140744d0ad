import { realClock } from '../../kit/clock.ts';
import type { SampleRecord } from '../../proofs/evidence.ts';
import { DOCUMENT_NAMES, type DocumentName, type StoredDocument } from '../../proofs/evidence.ts';
import { metricAt } from '../../proofs/metrics.ts';
import { isSeen, mapSeen, type Observation, seen } from '../../proofs/observation.ts';
import type { MeshHost } from '../fleet/mesh-host.ts';
import type { Progress } from '../progress/progress.ts';
import { type NodeReading, readNodes } from '../telemetry/read-node.ts';
import type { RunLedger } from './run-ledger.ts';
import type { RoundSight } from './stop-watch.ts';

/** Live figures kept of every scheduled round; their documents are not kept as files. */
const SCHEDULED_GAUGES = [
  'gossip.dispatcher.pubsub.timed_out',
  'gossip.recv_pump.pubsub.dropped_full',
  'gossip.recv_pump.pubsub.latest_depth',
  'gossip.pubsub_stages.suppressed_peers.length',
  'connectivity.connections.connected_peers',
  'runtime.rss_bytes',
  'runtime.event_loop_delay_ms.p99',
  'health.uptime_secs',
] as const;

/** The rounds around a scenario are what is judged; a fast schedule must not make them fragile. */
const AROUND_DEADLINE_MIN_MS = 4_000;

export interface TelemetryModules {
  readonly hosts: readonly MeshHost[];
  readonly ledger: Pick<RunLedger, 'record' | 'storeDocument'>;
  readonly progress: Progress;
  /** Told of each node after each scheduled round. */
  readonly watched?: (node: string, sight: RoundSight) => void;
}

/** Reads all nodes, on one schedule and around each scenario, and leaves every reading as evidence. */
export class RunTelemetry {
  readonly #modules: TelemetryModules;
  readonly #deadlineMs: number;
  readonly #everyMs: number;

  constructor(options: { readonly everyMs: number; readonly deadlineMs: number }, modules: TelemetryModules) {
    this.#everyMs = options.everyMs;
    this.#deadlineMs = options.deadlineMs;
    this.#modules = modules;
  }

  /** One round around a scenario: the documents themselves are kept, to be judged from. */
  async sampleAround(
    at: { readonly window: number; readonly scenario: string; readonly phase: 'pre' | 'post' },
    signal: AbortSignal,
  ): Promise<void> {
    const readings = await this.#read(Math.max(this.#deadlineMs, AROUND_DEADLINE_MIN_MS), signal);
    await Promise.all(
      readings.map(async (reading) => {
        const documents: Partial<Record<DocumentName, Observation<StoredDocument>>> = {};
        for (const name of DOCUMENT_NAMES) {
          const raw = reading.documents[name];
          documents[name] = isSeen(raw)
            ? seen(
                await this.#modules.ledger.storeDocument({
                  ...at,
                  node: reading.node,
                  document: name,
                  ...raw.seen,
                }),
              )
            : raw;
        }
        await this.#modules.ledger.record({ ...sampleOf(reading, at), documents, gauges: {} });
      }),
    );
  }

  /**
   * Rounds on a fixed schedule until `signal` aborts; `place` tells where the run stands. A slot long gone is not caught
   * up with, but stands on record as skipped.
   */
  async followSchedule(
    place: () => { readonly window: number | null; readonly scenario: string | null },
    signal: AbortSignal,
  ): Promise<void> {
    const startedMs = realClock.nowMs();
    for (let round = 0; !signal.aborted; round += 1) {
      try {
        const lateMs = realClock.nowMs() - startedMs - round * this.#everyMs;
        if (lateMs > this.#everyMs) {
          const rounds = Math.floor(lateMs / this.#everyMs);
          await this.#recordSkipped(place().window, rounds, lateMs);
          round += rounds;
        }
        await realClock.sleep(startedMs + round * this.#everyMs - realClock.nowMs(), signal);
        const at = { ...place(), phase: 'schedule' as const };
        for (const reading of await this.#read(this.#deadlineMs, signal)) {
          const missingOnly = Object.entries(reading.documents).filter(([, document]) => !isSeen(document));
          this.#modules.watched?.(reading.node, sightOf(missingOnly.length));
          await this.#modules.ledger.record({
            ...sampleOf(reading, at),
            documents: Object.fromEntries(missingOnly) as SampleRecord['documents'],
            gauges: gaugesOf(reading),
          });
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  async #recordSkipped(window: number | null, rounds: number, lateMs: number): Promise<void> {
    const why = `the round before ended ${Math.round(lateMs)} ms after the next was due`;
    await this.#modules.ledger.record({ type: 'telemetry_skipped', window, rounds, why });
  }

  async #read(deadlineMs: number, signal: AbortSignal): Promise<readonly NodeReading[]> {
    const startedMs = realClock.nowMs();
    const readings = await readNodes(this.#modules.hosts, deadlineMs, signal);
    const unreadable = readings.flatMap(({ node, documents }) => {
      const names = DOCUMENT_NAMES.filter((name) => !isSeen(documents[name]));
      return names.length === 0
        ? []
        : [`${node} (${names.length === DOCUMENT_NAMES.length ? 'all' : names.join(', ')})`];
    });
    this.#modules.progress.show({ event: 'sampled', unreadable, took_ms: realClock.nowMs() - startedMs });
    return readings;
  }
}

function sightOf(missing: number): RoundSight {
  if (missing === 0) return 'all';
  return missing === DOCUMENT_NAMES.length ? 'nothing' : 'some';
}

function sampleOf(
  reading: NodeReading,
  at: Pick<SampleRecord, 'window' | 'scenario' | 'phase'>,
): Omit<SampleRecord, 'documents' | 'gauges'> {
  return {
    type: 'sample',
    ...at,
    node: reading.node,
    at_wall_ms: reading.atWallMs,
    at_mono_ms: reading.atMonoMs,
    took_ms: reading.tookMs,
    epoch: epochOf(reading),
  };
}

/** The process lifetime that this round saw; the latest, should the node have restarted between two documents. */
function epochOf(reading: NodeReading): SampleRecord['epoch'] {
  const epochs = DOCUMENT_NAMES.map((name) => reading.documents[name])
    .filter(isSeen)
    .map(({ seen: { epoch } }) => epoch);
  return epochs.toSorted((a, b) => a.uptime_secs - b.uptime_secs)[0] ?? null;
}

function gaugesOf(reading: NodeReading): Record<string, number | null> {
  const bodies = Object.fromEntries(
    DOCUMENT_NAMES.map((name) => [name, mapSeen(reading.documents[name], ({ body }) => body)]),
  );
  return Object.fromEntries(
    SCHEDULED_GAUGES.map((path) => {
      const value = metricAt(bodies, path);
      return [path, isSeen(value) ? value.seen : null];
    }),
  );
}
