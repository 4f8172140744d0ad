import type { Random } from '../../kit/random.ts';

/** Waits after the first, second… failed dial; the last one stays. */
const BACKOFF_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 60_000] as const;
const BACKOFF_JITTER = 0.2; // either way, so that a mesh that fell together does not rise in lock-step
const FIRST_REDIAL_MS = 250; // a restarted process is back within this; its peers should be too
const STABLE_MS = 10_000; // a link that lived shorter did not prove that its peer is well
/** A peer known to be real is missed for so long before the longer waits begin: paths and processes come back. */
const EAGER_FOR_MS = 120_000;
const EAGER_WAIT_MS = 4_000; // below 5 s with its jitter
const MIN_REDIAL_GAP_MS = 1_000; // news about a peer never make it dialled more often
const MAX_IN_FLIGHT = 16;
const MAX_HEARSAY_IN_FLIGHT = 8; // invented peers must not starve those known to be real

/** Most urgent first: configured and never met, met before, known from what others say. */
export type Standing = 'configured' | 'met' | 'hearsay';
const URGENCY: Readonly<Record<Standing, number>> = { configured: 0, met: 1, hearsay: 2 };

interface Course {
  failures: number;
  dueAtMs: number;
  lastDialAtMs: number | null;
  upSinceMs: number | null;
  /** When it became known, or when its last good link was lost. */
  missingSinceMs: number;
}

/** What a dial takes up while it lasts: a permit of its standing, and an address that no other dial may try. */
interface Claim {
  readonly standing: Standing;
  readonly address: string;
}

export interface Wait {
  readonly target: string;
  readonly failures: number;
  readonly dueInMs: number;
}

/**
 * Who is dialled when. A target is due at once when it becomes known, 250 ms after a good link was lost, and after
 * 1, 2, 4, 8, 16 s ± 20 % and then every 60 s ± 20 % when it cannot be reached; one that is known to be real and
 * missed for less than two minutes, every 4 s ± 20 % at the longest. At most one dial per target, one per address and
 * 16 in all are in flight. Pure: time comes in; holds as many courses as its owner has targets.
 */
export class Reconnect {
  readonly #courses = new Map<string, Course>();
  /** Apart from the courses: a dial goes on when its target is forgotten. At most 16. */
  readonly #inFlight = new Map<string, Claim>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Follows `target` from now on, due at `dueAtMs`; does nothing for one already followed. */
  follow(target: string, dueAtMs: number): void {
    if (this.#courses.has(target)) return;
    this.#courses.set(target, {
      failures: 0,
      dueAtMs,
      lastDialAtMs: null,
      upSinceMs: null,
      missingSinceMs: dueAtMs,
    });
  }

  /** Follows `target` as one whose link is about to be seen up; it is due soon should that not come. */
  followMet(target: string, nowMs: number): void {
    this.follow(target, nowMs + this.#waitMs(0));
  }

  /** Something new is known about `target`: its back-off ends. */
  reset(target: string, nowMs: number): void {
    const course = this.#courses.get(target);
    if (course === undefined) return;
    course.failures = 0;
    course.dueAtMs = soonest(course, nowMs);
  }

  /** Somebody waits for `target`: it is due as soon as two dials may follow each other. Its failures still count. */
  hurry(target: string, nowMs: number): void {
    const course = this.#courses.get(target);
    if (course) course.dueAtMs = Math.min(course.dueAtMs, soonest(course, nowMs));
  }

  up(target: string, nowMs: number): void {
    this.follow(target, nowMs);
    const course = this.#courses.get(target);
    if (course) course.upSinceMs ??= nowMs;
  }

  /** The link to `target` is gone. A short-lived one counts as a failure, so that a flapping peer is left alone. */
  lost(target: string, nowMs: number): void {
    const course = this.#courses.get(target);
    if (course === undefined || course.upSinceMs === null) return;
    const lastedMs = nowMs - course.upSinceMs;
    course.upSinceMs = null;
    if (lastedMs >= STABLE_MS) {
      course.failures = 0;
      course.missingSinceMs = nowMs;
    }
    course.dueAtMs = nowMs + this.#eagerWaitMs(course, nowMs);
    if (lastedMs < STABLE_MS) course.failures += 1;
  }

  /** The dial in flight succeeded. Until the link is seen up, the target counts as just lost. */
  succeeded(target: string, nowMs: number): void {
    this.#inFlight.delete(target);
    const course = this.#courses.get(target);
    if (course === undefined) return;
    course.dueAtMs = nowMs + this.#waitMs(0);
  }

  /** The dial in flight failed. Gives the number of failures in a row. */
  failed(target: string, nowMs: number): number {
    const standing = this.#inFlight.get(target)?.standing;
    this.#inFlight.delete(target);
    const course = this.#courses.get(target);
    if (course === undefined) return 0;
    if (course.upSinceMs !== null) return 0; // the peer came by itself meanwhile
    course.failures += 1;
    const isReal = standing !== 'hearsay';
    course.dueAtMs = nowMs + (isReal ? this.#eagerWaitMs(course, nowMs) : this.#waitMs(course.failures));
    return course.failures;
  }

  forget(target: string): void {
    this.#courses.delete(target);
  }

  /**
   * Begins the dials whose time has come, the most urgent and longest waiting first. `choose` gives the dial to
   * `target`, or `null` when it must not be dialled now; it is then asked again at the next call.
   */
  take<D extends { readonly claim: Claim }>(
    nowMs: number,
    choose: (target: string, failures: number) => D | null,
  ): readonly D[] {
    const due: { readonly target: string; readonly course: Course; readonly dial: D }[] = [];
    for (const [target, course] of this.#courses) {
      if (this.#inFlight.has(target) || course.upSinceMs !== null || course.dueAtMs > nowMs) continue;
      const dial = choose(target, course.failures);
      if (dial !== null) due.push({ target, course, dial });
    }
    const urgency = (dial: D) => URGENCY[dial.claim.standing];
    due.sort((a, b) => urgency(a.dial) - urgency(b.dial) || a.course.dueAtMs - b.course.dueAtMs);
    return due.flatMap(({ target, course, dial }) => {
      if (!this.#isFree(dial.claim)) return [];
      this.#inFlight.set(target, dial.claim);
      course.lastDialAtMs = nowMs;
      return [dial];
    });
  }

  /** The first `max` targets that wait for their next dial, soonest first. */
  waiting(nowMs: number, max: number): readonly Wait[] {
    return [...this.#courses]
      .filter(([target, course]) => !this.#inFlight.has(target) && course.upSinceMs === null)
      .map(([target, { failures, dueAtMs }]) => ({ target, failures, dueInMs: Math.max(0, dueAtMs - nowMs) }))
      .sort((a, b) => a.dueInMs - b.dueInMs)
      .slice(0, max);
  }

  #eagerWaitMs({ failures, missingSinceMs }: Course, nowMs: number): number {
    return this.#waitMs(failures, nowMs - missingSinceMs < EAGER_FOR_MS ? EAGER_WAIT_MS : undefined);
  }

  #waitMs(failures: number, longestMs = Number.POSITIVE_INFINITY): number {
    const base = failures === 0 ? FIRST_REDIAL_MS : BACKOFF_MS[Math.min(failures, BACKOFF_MS.length) - 1];
    return this.#random.jitter(Math.min(base ?? BACKOFF_MS[5], longestMs), BACKOFF_JITTER);
  }

  #isFree(wanted: Claim): boolean {
    const claims = [...this.#inFlight.values()];
    if (claims.length >= MAX_IN_FLIGHT || claims.some(({ address }) => address === wanted.address))
      return false;
    if (wanted.standing !== 'hearsay') return true;
    return claims.filter(({ standing }) => standing === 'hearsay').length < MAX_HEARSAY_IN_FLIGHT;
  }
}

function soonest({ lastDialAtMs }: Course, nowMs: number): number {
  return lastDialAtMs === null ? nowMs : Math.max(nowMs, lastDialAtMs + MIN_REDIAL_GAP_MS);
}
