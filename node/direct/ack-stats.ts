import { BoundedMap } from '../../kit/bounded.ts';
import type { AckDocument, AckOutcome, AckStage } from '../api/schema/ack.ts';
import type { PeerLink } from '../transport/transport.ts';
import { NO_TIMINGS, StageTimes } from './stage-times.ts';

const RETENTION_MINUTES = 15;
const MAX_ROWS = 4_096; // 15 minutes of 64 peers, with room for connections that were replaced

type Row = AckDocument['ack']['peers'][number];
interface LiveRow {
  readonly peerId: string;
  readonly generation: number;
  readonly minute: number;
  readonly stages: Map<AckStage, StageTimes>;
  readonly outcomes: Record<AckOutcome, number>;
}

/**
 * What became of acknowledged messages, in rows per peer, connection and minute, kept for 15 minutes. When its minute
 * is over a row is reduced to its summary, so that samples are held for the current minute only. Pure: wall-clock
 * milliseconds come in with each call.
 */
export class AckStats {
  readonly #live = new Map<string, LiveRow>();
  readonly #past = new BoundedMap<number, Row>({ max: MAX_ROWS });
  #retired = 0;
  #liveMinute = 0;

  outcome(link: PeerLink, outcome: AckOutcome, wallMs: number): void {
    this.#row(link, wallMs).outcomes[outcome] += 1;
  }

  stage(link: PeerLink, stage: AckStage, durationMs: number, wallMs: number): void {
    const { stages } = this.#row(link, wallMs);
    let times = stages.get(stage);
    if (times === undefined) {
      times = new StageTimes();
      stages.set(stage, times);
    }
    times.add(Math.max(0, durationMs));
  }

  document(wallMs: number): AckDocument {
    this.#turnMinute(Math.floor(wallMs / 60_000));
    const peers = [...this.#past.values(), ...[...this.#live.values()].map(summarise)];
    return {
      ack: { generated_at_unix_ms: Math.floor(wallMs), retention_minutes: RETENTION_MINUTES, peers },
    };
  }

  #row(link: PeerLink, wallMs: number): LiveRow {
    this.#turnMinute(Math.floor(wallMs / 60_000));
    const key = `${link.peerId}/${link.generation}`;
    const known = this.#live.get(key);
    if (known) return known;
    if (this.#live.size >= MAX_ROWS) this.#retire(); // a storm of new connections inside one minute
    const row: LiveRow = {
      peerId: link.peerId,
      generation: link.generation,
      minute: this.#liveMinute,
      stages: new Map(),
      outcomes: { ...NO_OUTCOMES },
    };
    this.#live.set(key, row);
    return row;
  }

  #turnMinute(minute: number): void {
    if (minute === this.#liveMinute) return;
    this.#retire();
    this.#liveMinute = minute;
    for (const [key, { minute_unix }] of this.#past.entries()) {
      if (Math.abs(minute - minute_unix) >= RETENTION_MINUTES) this.#past.delete(key); // the wall clock may jump back
    }
  }

  #retire(): void {
    for (const row of this.#live.values()) {
      this.#retired += 1;
      this.#past.set(this.#retired, summarise(row));
    }
    this.#live.clear();
  }
}

function summarise(row: LiveRow): Row {
  const stages = { ...NO_STAGES };
  for (const [stage, times] of row.stages) stages[stage] = times.summary();
  return {
    peer_id: row.peerId,
    stable_id: row.generation,
    minute_unix: row.minute,
    stages,
    outcomes: { ...row.outcomes },
  };
}

const NO_STAGES: Row['stages'] = {
  sender_open_bi: NO_TIMINGS,
  sender_request_write: NO_TIMINGS,
  sender_request_finish: NO_TIMINGS,
  sender_response_read: NO_TIMINGS,
  receiver_demux: NO_TIMINGS,
  receiver_admission: NO_TIMINGS,
  receiver_response_write_finish: NO_TIMINGS,
};

const NO_OUTCOMES: Row['outcomes'] = {
  sender_accepted: 0,
  sender_rejected: 0,
  sender_invalid_response: 0,
  sender_response_incomplete: 0,
  sender_ack_timeout: 0,
  sender_connection_closed: 0,
  sender_retry_attempted: 0,
  sender_retry_accepted: 0,
  sender_retry_failed: 0,
  receiver_accepted: 0,
  receiver_rejected: 0,
  receiver_duplicate_replayed: 0,
  receiver_duplicate_conflict: 0,
  receiver_response_write_failed: 0,
  receiver_response_finish_failed: 0,
  receiver_response_timed_out: 0,
};
