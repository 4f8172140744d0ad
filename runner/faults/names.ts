import type { LeaseKey } from './protocol.ts';

/**
 * The names of everything that the fault program makes. They carry run and lease, so that a leftover tells whose it
 * is, and they are how `doctor` knows its own: nothing under another name is ever touched.
 */

/** Major number of our root qdisc: ASCII "mp". Band 4 under it holds netem. */
export const ROOT_HANDLE = '6d70:';
export const SLOW_BAND = '6d70:4';
export const NETEM_HANDLE = '6d71:';

const TABLE_PREFIX = 'meshproof_';
const UNDO_PREFIX = 'meshproof-undo:';

/** The nft table (family inet) of a lease. A run's id has no `_`, so the first one parts run and lease. */
export function tableOf({ run_id, lease_id }: LeaseKey): string {
  return `${TABLE_PREFIX}${run_id}_${lease_id}`;
}

export function isOwnTable(name: string): boolean {
  return name === 'meshproof' || name.startsWith(TABLE_PREFIX);
}

/** Null for tables of other versions, whose names tell nothing. */
export function leaseOfTable(name: string): LeaseKey | null {
  return parted(name.startsWith(TABLE_PREFIX) ? name.slice(TABLE_PREFIX.length) : '', '_');
}

export function intentFileOf({ run_id, lease_id }: LeaseKey): string {
  return `${run_id}_${lease_id}.json`;
}

/**
 * The transient unit that undoes one step of a lease, without `.timer` or `.service`. Arming anew needs another name
 * than the one that still stands: `generation` makes it.
 */
export function undoUnitOf(key: LeaseKey, generation: string, step: number): string {
  return `${undoUnitsOf(key)}${generation}-${step}`;
}

/** What the names of all undo units of a lease begin with. Ids hold no `:`, so no lease is the prefix of another. */
export function undoUnitsOf({ run_id, lease_id }: LeaseKey): string {
  return `${UNDO_PREFIX}${run_id}:${lease_id}:`;
}

/** Matches the timers of all leases, for `systemctl`. */
export const ALL_UNDO_TIMERS = `${UNDO_PREFIX}*.timer`;

export function leaseOfUndoUnit(name: string): LeaseKey | null {
  const [run_id, lease_id] = name.startsWith(UNDO_PREFIX) ? name.slice(UNDO_PREFIX.length).split(':') : [];
  return run_id && lease_id ? { run_id, lease_id } : null;
}

export function isSameLease(a: LeaseKey, b: LeaseKey): boolean {
  return a.run_id === b.run_id && a.lease_id === b.lease_id;
}

function parted(text: string, separator: string): LeaseKey | null {
  const at = text.indexOf(separator);
  return at > 0 && at < text.length - 1 ? { run_id: text.slice(0, at), lease_id: text.slice(at + 1) } : null;
}
