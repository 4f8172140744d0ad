import type { VerdictWord } from '../../proofs/evidence.ts';
import { shortDuration } from '../../proofs/reports/cells.ts';
import { printable } from '../../proofs/reports/printable.ts';
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

/**
 * The event as lines for a person, or null when it is too small to be worth one. `paint` colours what matters; what nodes
 * and hosts said can do nothing to a terminal.
 */
export function describeEvent(
  event: ProgressEvent,
  paint: (tone: Tone, text: string) => string = (_, text) => text,
): string | null {
  switch (event.event) {
    case 'run_started': {
      const windows =
        event.windows === 1
          ? '1 window'
          : `${event.windows} windows, one every ${shortDuration(event.interval_ms)}`;
      return `${event.nodes.length} nodes (anchor ${event.anchor}), gate ${event.gate}, ${windows}; seed ${event.seed}\nproof in ${event.proof_dir}`;
    }
    case 'process_exited':
      if (!event.expected) {
        return paint('bad', `${event.role} of ${event.node} ended unexpectedly (${ending(event)})`);
      }
      return event.signal === 'SIGKILL' ? `${event.role} of ${event.node} did not stop; killed` : null;
    case 'control_lost':
      return paint(
        'unsure',
        `  cannot look at ${event.node} (not its node's doing): ${printable(event.why)}`,
      );
    case 'control_regained':
      return `  ${event.node} can be looked at again after ${shortDuration(event.after_ms)}`;
    case 'mesh_ready':
      return `mesh ready after ${shortDuration(event.after_ms)}: ${event.live_links} live links`;
    case 'runners_ready':
      return `${event.runners} runners answer after ${shortDuration(event.after_ms)}`;
    case 'window_started':
      return `window ${event.window} started${event.late_ms > 1_000 ? `, ${shortDuration(event.late_ms)} late` : ''}`;
    case 'scenario_finished': {
      const why = event.why === null ? '' : `: ${printable(event.why)}`;
      return `  ${event.scenario} ${event.outcome === 'not_run' ? 'did not run' : event.outcome} in ${shortDuration(event.took_ms)}${why}`;
    }
    case 'sampled':
      return event.unreadable.length === 0
        ? null
        : paint('unsure', `  telemetry unreadable: ${printable(event.unreadable.join('; '))}`);
    case 'window_judged': {
      // Of a single window the verdict on the run tells the reasons, a moment later.
      const why = event.windows === 1 ? '' : because(event.reasons);
      return `window ${event.window} ${paint(TONES[event.verdict], event.verdict)} after ${shortDuration(event.took_ms)}${why}`;
    }
    case 'window_missed':
      return paint('unsure', `window ${event.window} missed: ${event.why}`);
    case 'fault_state': {
      const what = `  fault ${event.fault_id}: ${event.kind} of ${event.targets.join(', ')}`;
      const said = `${what} ${FAULT_STATES[event.state].says}${event.why === null ? '' : `: ${printable(event.why)}`}`;
      const { tone } = FAULT_STATES[event.state];
      return tone === null ? said : paint(tone, said);
    }
    case 'stopped':
      return paint('bad', `stopped on ${event.condition}: ${printable(event.why)}`);
    case 'fault':
      return paint('bad', `fault ${event.code}: ${printable(event.message)}`);
    case 'interrupted':
      return `${event.signal}: stopping, evidence so far will be judged`;
    case 'still_stopping':
      return `${event.signal}: still stopping: faults are ended and processes taken down first`;
    case 'judged':
      return `${paint(TONES[event.verdict], event.verdict)} after ${shortDuration(event.took_ms)}${because(event.reasons)}\nproof: ${event.proof_dir}`;
    default:
      return null;
  }
}

const REASONS_SHOWN = 5;

function because(reasons: readonly string[]): string {
  if (reasons.length === 0) return '';
  const more = reasons.length > REASONS_SHOWN ? [`… and ${reasons.length - REASONS_SHOWN} more`] : [];
  return [...reasons.slice(0, REASONS_SHOWN), ...more].map((reason) => `\n  - ${printable(reason)}`).join('');
}

function ending({ code, signal }: { readonly code: number | null; readonly signal: string | null }): string {
  return signal === null ? `code ${code}` : signal;
}
