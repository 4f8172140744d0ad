/** When the windows of a soak start: on a grid fixed by the first one, so that slow windows cause no drift. */
export interface WindowGrid {
  readonly count: number;
  readonly intervalMs: number;
}

/** A soak has as many windows as whole intervals fit its duration, at least one; a run is one window. */
export function gridOf(
  soak: { readonly durationMs: number; readonly intervalMs: number } | null,
): WindowGrid {
  if (soak === null) return { count: 1, intervalMs: 0 };
  const fit = Math.floor(soak.durationMs / soak.intervalMs + 1e-9); // 0.025 h / 0.5 min is 3, not 2.999…
  return { count: Math.max(1, fit), intervalMs: soak.intervalMs };
}

/** Offset of window `window` (1-based) from the start of the first. */
export function offsetOf(grid: WindowGrid, window: number): number {
  return (window - 1) * grid.intervalMs;
}

/**
 * What to do about `window` at `elapsedMs` after the first one's start: wait for its slot, start it (perhaps late), or
 * give it up because its whole slot has gone by.
 */
export function nextStep(
  grid: WindowGrid,
  window: number,
  elapsedMs: number,
): { readonly wait: number } | { readonly start: { readonly lateMs: number } } | { readonly missed: string } {
  const offset = offsetOf(grid, window);
  if (elapsedMs < offset) return { wait: offset - elapsedMs };
  const lateMs = elapsedMs - offset;
  if (window > 1 && lateMs >= grid.intervalMs) {
    return {
      missed: `its slot of ${grid.intervalMs} ms had gone by ${Math.round(lateMs - grid.intervalMs)} ms ago`,
    };
  }
  return { start: { lateMs } };
}
