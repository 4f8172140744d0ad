import type { VerdictWord } from '../evidence.ts';

/** How a cell is meant: only the renderers know what that looks like. */
export type Tone = 'plain' | 'good' | 'bad' | 'unsure';

export interface Cell {
  readonly text: string;
  readonly tone: Tone;
}

export interface Table {
  /** The first `labels` columns are text and stand left, the others are figures and stand right. */
  readonly labels: number;
  /** Columns that are left out first where not all fit, in this order; then the right-most ones are. */
  readonly givesWay?: readonly string[];
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** A part of a report for people, before it is Markdown or terminal text. */
export interface Section {
  readonly title: string;
  readonly lines: readonly string[];
  readonly table: Table | null;
  readonly bullets: readonly string[];
}

export const plain = (text: string | number): Cell => ({ text: String(text), tone: 'plain' });

export const toned = (text: string | number, tone: Tone): Cell => ({ text: String(text), tone });

const TONES: Readonly<Record<VerdictWord, Tone>> = { GO: 'good', INCONCLUSIVE: 'unsure', 'NO-GO': 'bad' };

export function verdictCell(verdict: VerdictWord | null): Cell {
  return verdict === null ? toned('not judged', 'unsure') : toned(verdict, TONES[verdict]);
}

/** `part/whole`, good only when nothing lacks; with nothing measured it is neither. */
export function shareCell(part: number, whole: number, measured: number): Cell {
  if (measured === 0) return toned('–', 'unsure');
  return toned(`${part}/${whole}`, part === whole ? 'good' : part < measured ? 'bad' : 'unsure');
}
