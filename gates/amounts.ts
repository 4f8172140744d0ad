import { isSeen, missing, type Observation, seen } from '../proofs/observation.ts';

/**
 * A quantity before it is compared. `count`: events, add up. `events`: bad events over opportunities; none is 0,
 * some over no opportunity is infinity. `coverage`: what arrived over what was planned; nothing planned is no
 * measurement. `gauge`: how something stands. `worst`: the greatest counts when several are pooled, `least` the smallest.
 */
export type Amount =
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'events' | 'coverage'; readonly part: number; readonly whole: number }
  | { readonly kind: 'gauge' | 'worst' | 'least'; readonly value: Value };

/** What an objective compares with its limit. */
export type Value = number | 'infinity';

/** One thing read: its amount, and what a person should know about it (a defect, or a bound on what was lost). */
export interface Reading {
  readonly amount: Observation<Amount>;
  readonly note: string | null;
}

const MAX_REASONS = 3;

export function reading(amount: Amount, note: string | null = null): Reading {
  return { amount: seen(amount), note };
}

export function unread(why: Observation<never>): Reading {
  return { amount: why, note: null };
}

export function count(events: number): Amount {
  return { kind: 'count', count: events };
}

/** Joins the first few of `parts` and counts the rest, so that a reason stays readable on a large fleet. */
export function listed(parts: readonly string[]): string {
  const more = parts.length - MAX_REASONS;
  return [...parts.slice(0, MAX_REASONS), ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

function greater(a: Value, b: Value): Value {
  if (a === 'infinity' || b === 'infinity') return 'infinity';
  return Math.max(a, b);
}

function smaller(a: Value, b: Value): Value {
  if (a === 'infinity') return b;
  return b === 'infinity' ? a : Math.min(a, b);
}

/** Two amounts of one kind together. @throws TypeError for kinds that do not pool: a metric never mixes them */
export function addAmounts(a: Amount, b: Amount): Amount {
  if (a.kind === 'count' && b.kind === 'count') return count(a.count + b.count);
  if ((a.kind === 'events' || a.kind === 'coverage') && b.kind === a.kind) {
    return { kind: a.kind, part: a.part + b.part, whole: a.whole + b.whole };
  }
  if (a.kind === 'worst' && b.kind === 'worst') return { kind: 'worst', value: greater(a.value, b.value) };
  if (a.kind === 'least' && b.kind === 'least') return { kind: 'least', value: smaller(a.value, b.value) };
  throw new TypeError(`amounts of kind ${a.kind} and ${b.kind} do not pool`);
}

/** All readings as one amount. `missing` lists what was not seen: with any of it, `seen` is a lower bound at most. */
export function pool(readings: readonly Reading[]): {
  readonly seen: Amount | null;
  readonly missing: string[];
} {
  let sum: Amount | null = null;
  const gaps: string[] = [];
  for (const { amount } of readings) {
    if (!isSeen(amount)) gaps.push(`${amount.missing}: ${amount.why}`);
    else sum = sum === null ? amount.seen : addAmounts(sum, amount.seen);
  }
  return { seen: sum, missing: gaps };
}

/** The zero rules: 0 events over anything is 0, events over nothing is infinity, coverage of nothing is not seen. */
export function compared(amount: Amount): Observation<Value> {
  switch (amount.kind) {
    case 'count':
      return seen(amount.count);
    case 'gauge':
    case 'worst':
    case 'least':
      return seen(amount.value);
    case 'events':
      if (amount.part === 0) return seen(0);
      return seen(amount.whole === 0 ? 'infinity' : amount.part / amount.whole);
    case 'coverage':
      if (amount.whole === 0) return missing('absent', 'nothing was planned, so nothing was measured');
      return seen(amount.part / amount.whole);
  }
}

/** The amount in words: `3`, `2 of 400`, `infinity`. */
export function amountText(amount: Amount): string {
  if (amount.kind === 'count') return String(amount.count);
  return 'part' in amount ? `${amount.part} of ${amount.whole}` : String(amount.value);
}
