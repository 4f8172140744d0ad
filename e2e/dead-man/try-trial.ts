import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { Deadline, until } from '../../kit/deadline.ts';
import type { DeadManHost, Look } from './lab-host.ts';
import { programsOf, Served } from './served.ts';
import type { Kind, Phase, Trial } from './trials.ts';

export const TTL_MS = 2_000;
/** What the acceptance grants after the lease's time. */
const GRACE_MS = 5_000;
const LOOK_EVERY_MS = 500; // a look costs a busy machine as much as the trial
const HOLD_MS = 1_000;
const UNHURRIED_MS = 60_000;

/** How long each operation took at least that was let finish: it tells where in the next one death may strike. */
export class Durations {
  readonly #byWhat = new Map<string, number>();

  async timed(kind: Kind, phase: Phase, work: () => Promise<unknown>): Promise<void> {
    const startMs = performance.now();
    await work();
    const tookMs = performance.now() - startMs;
    const what = `${kind} ${phase}`;
    this.#byWhat.set(what, Math.min(tookMs, this.#byWhat.get(what) ?? tookMs)); // a machine may stand still now and then
  }

  of(kind: Kind, phase: Phase): number {
    return phase === 'hold' ? HOLD_MS : (this.#byWhat.get(`${kind} ${phase}`) ?? HOLD_MS);
  }
}

export interface TriedTrial extends Trial {
  readonly host: string;
  /** Whether the operation had been answered when death came. */
  readonly cameLate: boolean;
  /** From the death to the first look that found the host clean. */
  readonly cleanAfterMs: number;
  /** What was still there at the deadline; empty when all was clean in time. */
  readonly left: readonly string[];
}

export function leaseOf({ id, kind }: Pick<Trial, 'id' | 'kind'>, { v4, v6 }: DeadManHost['peers']) {
  const lease = { run_id: 'dead-man', lease_id: id, ttl_ms: TTL_MS };
  if (kind === 'pause') return { ...lease, kind, unit: 'watched.service' };
  if (kind === 'stop') return { ...lease, kind, unit: 'plain.service' };
  const peers = { cut_v4: [v4], cut_v6: [v6], cut_large: [v4, v6] }[kind];
  return { ...lease, kind: 'cut', peers, larger_than_bytes: kind === 'cut_large' ? 1_000 : null };
}

/** Whether a fault of this kind shows, to the host's own tools. */
function isFelt(kind: Kind, look: Look): boolean {
  if (kind === 'pause') return look.paused > 0;
  if (kind === 'stop') return look.services.split('ActiveState=active').length === 2; // the watched one alone
  return /"set": \{[^}]*"table": "meshproof_dead-man_[^}]*"elem"/.test(look.nft);
}

/** Runs one trial on a host that looks as `planted`, and waits until it does so again. */
export async function tryTrial(
  host: DeadManHost,
  planted: Look,
  trial: Trial,
  durations: Durations,
): Promise<TriedTrial> {
  await using served = await Served.start(trial.id, host.serveArgv(trial.id));
  const key = { run_id: 'dead-man', lease_ids: [trial.id] };
  const lease = leaseOf(trial, host.peers);
  const lasting = { lease: { ...lease, ttl_ms: UNHURRIED_MS } };
  const body = { apply: { lease }, renew: { ...key, ttl_ms: TTL_MS }, revert: key };
  if (trial.phase !== 'apply') {
    await durations.timed(trial.kind, 'apply', () => served.ask('apply', lasting)); // looking may take a while
    if (!isFelt(trial.kind, await host.look())) {
      throw new Error(`${trial.id}: ${trial.kind} does not show on ${host.name}`);
    }
    expect(await served.ask('renew', body.renew), trial.id).toEqual({ renewed: [trial.id], lost: [] });
  }
  const id = trial.phase === 'hold' ? undefined : served.send(trial.phase, body[trial.phase]);
  await sleep(trial.at * durations.of(trial.kind, trial.phase));
  if (trial.death === 'silence') served.signal('ssh', 'SIGSTOP');
  else served.signal(trial.death === 'harness' ? 'ssh' : trial.death, 'SIGKILL');
  const diedMs = performance.now();
  const cameLate = id !== undefined && served.isAnswered(id);
  // A program whose connection is silent still hopes for its harness.
  const left = await untilAsBefore(host, planted, trial.death === 'silence' ? undefined : trial.id);
  const cleanAfterMs = Math.round(performance.now() - diedMs);
  if (trial.death === 'silence') await endSilence(trial, served);
  return { ...trial, host: host.name, cameLate, cleanAfterMs, left };
}

/**
 * Looks until the host shows what it showed before and, where a trial is named, runs no fault program of it. Gives what
 * was still there when `budgetMs`, by default the lease's time and the grace, were over.
 */
export async function untilAsBefore(
  host: DeadManHost,
  planted: Look,
  id: string | undefined,
  budgetMs = TTL_MS + GRACE_MS,
): Promise<readonly string[]> {
  const deadline = Deadline.in(budgetMs);
  for (;;) {
    const isLast = deadline.hasPassed(); // a look that began in time may end late
    const running = id === undefined ? [] : await programsOf(id);
    const left = [
      ...differences(planted, await host.look()),
      ...running.map((pid) => `the fault program still runs as ${pid}`),
    ];
    if (left.length === 0 || isLast) return left;
    await sleep(LOOK_EVERY_MS);
  }
}

/** A connection that was silent dies at last, and with it the program that waited for a word. */
async function endSilence({ id }: Trial, served: Served): Promise<void> {
  served.signal('ssh', 'SIGKILL');
  const isGone = async () => ((await programsOf(id)).length === 0 ? true : undefined);
  await until(`${id}: the end of the fault program`, isGone, { budgetMs: 30_000 });
}

function differences(planted: Look, now: Look): readonly string[] {
  return Object.entries(planted).flatMap(([name, before]) => {
    const after = Object.entries(now).find(([other]) => other === name)?.[1];
    return after === before
      ? []
      : [`${name}: ${JSON.stringify(after)} in place of ${JSON.stringify(before)}`];
  });
}
