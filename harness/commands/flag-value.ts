import { UsageError } from '../../kit/errors.ts';

/** The error for a flag whose value cannot be: it names the flag, what was typed, and what is expected. */
export function badFlag(flag: string, value: unknown, expected: string): UsageError {
  return new UsageError('BAD_FLAG', `${flag}: "${String(value)}" is not ${expected}`, {
    details: { flag, expected },
  });
}

/** @throws UsageError unless `value` is a number from `low` to `high` */
export function number(flag: string, value: unknown, low: number, high: number): number {
  if (typeof value === 'number' && value >= low && value <= high) return value;
  throw badFlag(flag, value, `a number from ${low} to ${high}`);
}

/** As `number`, for a flag that may be left out. */
export function optional(flag: string, value: unknown, low: number, high: number): number | undefined {
  return value === undefined ? undefined : number(flag, value, low, high);
}

/** @throws UsageError unless `value` is a whole number from `low` to `high` */
export function wholeNumber(flag: string, value: unknown, low: number, high: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high) return value;
  throw badFlag(flag, value, `a whole number from ${low} to ${high}`);
}
