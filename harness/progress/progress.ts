import type { VerdictWord } from '../../proofs/evidence.ts';
import type { PlannedPair } from '../../proofs/plan-schema.ts';

/** What a person or a program may follow of a run while it goes on; `snake_case`, since `--json` prints it as it is. */
export type ProgressEvent =
  | {
      readonly event: 'run_started';
      readonly run_id: string;
      readonly proof_dir: string;
      readonly nodes: readonly string[];
      readonly anchor: string;
      readonly gate: string;
      readonly scenarios: readonly string[];
      readonly windows: number;
      readonly interval_ms: number;
      readonly seed: number;
    }
  | { readonly event: 'process_started'; readonly node: string; readonly role: string; readonly pid: number }
  | {
      readonly event: 'process_exited';
      readonly node: string;
      readonly role: string;
      readonly code: number | null;
      readonly signal: string | null;
      readonly expected: boolean;
    }
  | {
      readonly event: 'control_lost';
      readonly node: string;
      readonly code: string;
      readonly why: string;
    }
  | { readonly event: 'control_regained'; readonly node: string; readonly after_ms: number }
  | { readonly event: 'mesh_ready'; readonly after_ms: number; readonly live_links: number }
  | { readonly event: 'runners_ready'; readonly after_ms: number; readonly runners: number }
  | { readonly event: 'waiting'; readonly window: number; readonly wait_ms: number }
  | { readonly event: 'window_started'; readonly window: number; readonly late_ms: number }
  | { readonly event: 'scenario_started'; readonly window: number; readonly scenario: string }
  | { readonly event: 'pairs_delivered'; readonly window: number; readonly pairs: readonly PlannedPair[] }
  | {
      readonly event: 'burst_delivered';
      readonly window: number;
      readonly subscriber: string;
      readonly delivered: number;
      readonly planned: number;
    }
  | {
      readonly event: 'scenario_finished';
      readonly window: number;
      readonly scenario: string;
      readonly outcome: string;
      readonly why: string | null;
      readonly took_ms: number;
    }
  | { readonly event: 'sampled'; readonly unreadable: readonly string[]; readonly took_ms: number }
  | {
      readonly event: 'window_judged';
      readonly window: number;
      readonly windows: number;
      readonly verdict: VerdictWord;
      readonly reasons: readonly string[];
      readonly took_ms: number;
    }
  | { readonly event: 'window_missed'; readonly window: number; readonly why: string }
  | {
      readonly event: 'fault_state';
      readonly fault_id: string;
      readonly kind: string;
      readonly targets: readonly string[];
      readonly state: 'applied' | 'bites' | 'does_not_bite' | 'lapsed' | 'reverted' | 'gone' | 'not_gone';
      readonly why: string | null;
    }
  | { readonly event: 'stopped'; readonly condition: string; readonly why: string }
  | { readonly event: 'fault'; readonly code: string; readonly message: string }
  | { readonly event: 'interrupted'; readonly signal: string }
  /** Asked to end again, while it is ending. */
  | { readonly event: 'still_stopping'; readonly signal: string }
  | {
      readonly event: 'judged';
      readonly verdict: VerdictWord;
      readonly reasons: readonly string[];
      readonly proof_dir: string;
      readonly exit_code: number;
      readonly took_ms: number;
    };

export type EventOf<T extends ProgressEvent['event']> = Extract<ProgressEvent, { event: T }>;

/** Shows a run to somebody. `close` leaves the terminal as it was found. */
export interface Progress {
  show(event: ProgressEvent): void;
  close(): void;
}
