import type { ProgressEvent } from './progress.ts';

/** The event as one line for a person, or null when it is too small to be worth a line. */
export function describeEvent(event: ProgressEvent): string | null {
  switch (event.event) {
    case 'run_started': {
      const windows =
        event.windows === 1 ? '1 window' : `${event.windows} windows, one every ${span(event.interval_ms)}`;
      return `${event.nodes.length} nodes (anchor ${event.anchor}), gate ${event.gate}, ${windows}; seed ${event.seed}; proof in ${event.proof_dir}`;
    }
    case 'process_exited':
      return event.expected ? null : `${event.role} of ${event.node} ended unexpectedly (${ending(event)})`;
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
      return event.unreadable.length === 0 ? null : `  telemetry unreadable: ${event.unreadable.join('; ')}`;
    case 'window_judged':
      return `window ${event.window} ${event.verdict} after ${span(event.took_ms)}${because(event.reasons)}`;
    case 'fault':
      return `fault ${event.code}: ${event.message}`;
    case 'interrupted':
      return `${event.signal}: stopping, evidence so far will be judged`;
    case 'judged':
      return `${event.verdict}${because(event.reasons)}\nproof: ${event.proof_dir}`;
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
