import type { VerdictWord } from '../../proofs/evidence.ts';
import type { EventOf, ProgressEvent } from './progress.ts';

export type Tone = 'good' | 'bad' | 'unsure';

const TONES: Record<VerdictWord, Tone> = { GO: 'good', 'NO-GO': 'bad', INCONCLUSIVE: 'unsure' };

const FAULT_STATES: Record<
  EventOf<'fault_state'>['state'],
  { readonly says: string; readonly tone: Tone | null }
> = {
  applied: { says: 'applied', tone: null },
  bites: { says: 'bites', tone: null },
  does_not_bite: { says: 'is not felt', tone: 'unsure' },
  lapsed: { says: 'lost its hold', tone: 'unsure' },
  reverted: { says: 'reverted', tone: null },
  gone: { says: 'is gone', tone: null },
  not_gone: { says: 'IS NOT PROVEN GONE', tone: 'bad' },
};

/** The event as lines for a person, or null when it is too small to be worth one. `paint` colours what matters. */
export function describeEvent(
  event: ProgressEvent,
  paint: (tone: Tone, text: string) => string = (_, text) => text,
): string | null {
  switch (event.event) {
    case 'run_started': {
      const windows =
        event.windows === 1 ? '1 window' : `${event.windows} windows, one every ${span(event.interval_ms)}`;
      return `${event.nodes.length} nodes (anchor ${event.anchor}), gate ${event.gate}, ${windows}; seed ${event.seed}\nproof in ${event.proof_dir}`;
    }
    case 'process_exited':
      if (!event.expected) {
        return paint('bad', `${event.role} of ${event.node} ended unexpectedly (${ending(event)})`);
      }
      return event.signal === 'SIGKILL' ? `${event.role} of ${event.node} did not stop; killed` : null;
    case 'control_lost':
      return paint('unsure', `  cannot look at ${event.node} (not its node's doing): ${event.why}`);
    case 'control_regained':
      return `  ${event.node} can be looked at again after ${span(event.after_ms)}`;
    case 'mesh_ready':
      return `mesh ready after ${span(event.after_ms)}: ${event.live_links} live links`;
    case 'runners_ready':
      return `${event.runners} runners answer after ${span(event.after_ms)}`;
    case 'window_started':
      return `window ${event.window} started${event.late_ms > 1_000 ? `, ${span(event.late_ms)} late` : ''}`;
    case 'scenario_finished': {
      const why = event.why === null ? '' : `: ${event.why}`;
      return `  ${event.scenario} ${event.outcome === 'not_run' ? 'did not run' : event.outcome} in ${span(event.took_ms)}${why}`;
    }
    case 'sampled':
      return event.unreadable.length === 0
        ? null
        : paint('unsure', `  telemetry unreadable: ${event.unreadable.join('; ')}`);
    case 'window_judged':
      return `window ${event.window} ${paint(TONES[event.verdict], event.verdict)} after ${span(event.took_ms)}${because(event.reasons)}`;
    case 'window_missed':
      return paint('unsure', `window ${event.window} missed: ${event.why}`);
    case 'fault_state': {
      const what = `  fault ${event.fault_id}: ${event.kind} of ${event.targets.join(', ')}`;
      const said = `${what} ${FAULT_STATES[event.state].says}${event.why === null ? '' : `: ${event.why}`}`;
      const { tone } = FAULT_STATES[event.state];
      return tone === null ? said : paint(tone, said);
    }
    case 'stopped':
      return paint('bad', `stopped on ${event.condition}: ${event.why}`);
    case 'fault':
      return paint('bad', `fault ${event.code}: ${event.message}`);
    case 'interrupted':
      return `${event.signal}: stopping, evidence so far will be judged`;
    case 'still_stopping':
      return `${event.signal}: still stopping; this takes 15 s at most`;
    case 'judged':
      return `${paint(TONES[event.verdict], event.verdict)} after ${span(event.took_ms)}${because(event.reasons)}\nproof: ${event.proof_dir}`;
    default:
      return null;
  }
}

const REASONS_SHOWN = 5;

function because(reasons: readonly string[]): string {
  if (reasons.length === 0) return '';
  const more = reasons.length > REASONS_SHOWN ? [`… and ${reasons.length - REASONS_SHOWN} more`] : [];
  return [...reasons.slice(0, REASONS_SHOWN), ...more].map((reason) => `\n  - ${reason}`).join('');
}

function ending({ code, signal }: { readonly code: number | null; readonly signal: string | null }): string {
  return signal === null ? `code ${code}` : signal;
}

/** A duration as a person says it: `850 ms`, `12.3 s`, `4 min 5 s`, `3 h 20 min`. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) {
    const seconds = Math.round((ms % 60_000) / 1_000);
    return seconds === 0 ? `${minutes} min` : `${minutes} min ${seconds} s`;
  }
  const rest = minutes % 60;
  return rest === 0 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 60)} h ${rest} min`;
}
