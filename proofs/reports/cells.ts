import { isSeen, missing, type Observation, seen } from '../observation.ts';
import type { Figure } from './node-figures.ts';

/** What a figure that nobody saw prints as, in every report. */
const MISSING = 'MISSING';

const MAY_START_A_FORMULA = /^[=+\-@\t\r]/;

/** One CSV cell. Ratios have 6 decimals or `inf`; a text that a spreadsheet would run as a formula is quoted. */
export function csvCell(column: string, figure: Figure): string {
  if (!isSeen(figure)) return MISSING;
  const value = figure.seen;
  if (value === 'infinity') return 'inf';
  if (typeof value === 'string') return MAY_START_A_FORMULA.test(value) ? `'${value}` : value;
  if (typeof value === 'number' && column.endsWith('_ratio')) return value.toFixed(6);
  return String(value);
}

/** A figure for a person: whole numbers as they are, others with 4 significant digits. */
export function shortFigure(figure: Figure): string {
  if (!isSeen(figure)) return MISSING;
  return typeof figure.seen === 'number'
    ? shortNumber(figure.seen)
    : figure.seen === 'infinity'
      ? 'inf'
      : String(figure.seen);
}

export function shortNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

/** `12.5 s`, `4 m 03 s`, `2 h 05 m`. */
export function shortDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const secs = Math.round(ms / 1_000);
  const two = (value: number) => String(value).padStart(2, '0');
  if (secs < 3_600) return `${Math.floor(secs / 60)} m ${two(secs % 60)} s`;
  return `${Math.floor(secs / 3_600)} h ${two(Math.floor((secs % 3_600) / 60))} m`;
}

/** `2026-11-21 12:00:00`, in UTC. */
export function utcTime(wallMs: number): string {
  const time = new Date(wallMs);
  return Number.isNaN(time.getTime()) ? MISSING : time.toISOString().slice(0, 19).replace('T', ' ');
}

/** The largest of the figures; one that is missing hides how large, and so does an empty list. */
export function maxFigure(figures: readonly Figure[]): Figure {
  return combine(figures, (values) => Math.max(...values));
}

/** The sum of the figures; one that is missing hides it. */
export function sumFigure(figures: readonly Figure[]): Figure {
  return combine(figures, (values) => values.reduce((total, value) => total + value, 0));
}

function combine(figures: readonly Figure[], reduce: (values: readonly number[]) => number): Figure {
  const values: number[] = [];
  for (const figure of figures) {
    const number = asNumber(figure);
    if (!isSeen(number)) return number;
    values.push(number.seen);
  }
  if (values.length === 0) return missing('absent', 'nothing was read');
  const total = reduce(values);
  return seen(Number.isFinite(total) ? total : 'infinity');
}

function asNumber(figure: Figure): Observation<number> {
  if (!isSeen(figure)) return figure;
  if (figure.seen === 'infinity') return seen(Number.POSITIVE_INFINITY);
  return typeof figure.seen === 'number' ? seen(figure.seen) : missing('unreadable', 'is not a number');
}
