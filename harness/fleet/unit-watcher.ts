import pLimit, { type LimitFunction } from 'p-limit';
import { type Clock, realClock } from '../../kit/clock.ts';
import { withinBudget } from '../../kit/deadline.ts';
import { codeOf, messageOf } from '../../kit/errors.ts';
import type { DeployedRole } from './deployed-host.ts';
import { type LastWords, lastWordsOf, lookAtUnits } from './deployed-units.ts';
import type { Host } from './host.ts';
import type { ControlChange, Fleet, ProcessEnd } from './mesh-host.ts';
import { type UnitEnd, UnitWatch } from './unit-watch.ts';

/** systemd waits 2 s before it starts a process again, so most ends are seen as such. */
const EVERY_MS = 2_000;
const LOOK_BUDGET_MS = 8_000;
const FIRST_LOOK_BUDGET_MS = 20_000;
const LAST_LOOK_BUDGET_MS = 5_000;
const AT_ONCE = 32;
/** Ends and changes kept for who listens late; a mesh that breaks oftener is told by its newest. */
const KEPT_MAX = 1_000;

type EndListener = Parameters<Fleet['onProcessEnd']>[0];

interface Watched {
  readonly host: Host;
  readonly units: UnitWatch;
  /** One look at a time: an older one that ends later would show processes that have long ended. */
  readonly turn: LimitFunction;
  /** When the last look that succeeded began. */
  stoodMs: number;
  /** When it was noticed that the way is lost. */
  lostMs: number | null;
  /** A look that somebody waits for. */
  checking: Promise<void> | null;
}

/** Looks at the units of every host every two seconds, by one short command each, and tells what ended. */
export class UnitWatcher {
  readonly #watched: readonly Watched[];
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  readonly #endListeners: EndListener[] = [];
  readonly #controlListeners: ((change: ControlChange) => void)[] = [];
  readonly #ends: Parameters<EndListener>[] = [];
  readonly #changes: ControlChange[] = [];
  #running: Promise<unknown> = Promise.resolve();

  private constructor(hosts: readonly Host[], clock: Clock) {
    this.#watched = hosts.map((host) => ({
      host,
      units: new UnitWatch(),
      turn: pLimit(1),
      stoodMs: clock.nowMs(),
      lostMs: null,
      checking: null,
    }));
    this.#clock = clock;
  }

  /** Resolves when every host was looked at once. @throws what `lookAtUnits` throws */
  static async start(
    hosts: readonly Host[],
    signal: AbortSignal,
    clock: Clock = realClock,
  ): Promise<UnitWatcher> {
    const watcher = new UnitWatcher(hosts, clock);
    const limit = pLimit(AT_ONCE);
    await Promise.all(
      watcher.#watched.map(({ host, units }) =>
        limit(async () => {
          units.see(await lookAtUnits(host, { budgetMs: FIRST_LOOK_BUDGET_MS, signal }));
        }),
      ),
    );
    watcher.#running = Promise.all(watcher.#watched.map((one) => watcher.#follow(one)));
    return watcher;
  }

  /** The process of `role` on `node` that runs now is about to be ended on purpose. */
  endExpected(node: string, role: DeployedRole): void {
    this.#watched.find(({ host }) => host.name === node)?.units.endExpected(role);
  }

  onProcessEnd(listener: EndListener): void {
    this.#endListeners.push(listener);
    for (const end of this.#ends) listener(...end);
  }

  onControlChange(listener: (change: ControlChange) => void): void {
    this.#controlListeners.push(listener);
    for (const change of this.#changes) listener(change);
  }

  /** Looks now at `nodes`, or at all, so that a way that is lost is told before this resolves. */
  async checkWays(signal: AbortSignal, nodes?: readonly string[]): Promise<void> {
    const asked = this.#watched.filter(({ host }) => nodes?.includes(host.name) ?? true);
    const checks = asked.map((one) => {
      if (one.lostMs !== null) return null; // told already
      one.checking ??= this.#lookOrLose(one, LOOK_BUDGET_MS).finally(() => {
        one.checking = null;
      });
      return one.checking;
    });
    await withinBudget('a look at the ways', 3 * LOOK_BUDGET_MS, () => Promise.all(checks), signal);
  }

  /** Looks a last time, so that what ended in the last moment is told too. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await Promise.all(this.#watched.map((one) => this.#lookOrLose(one, LAST_LOOK_BUDGET_MS)));
  }

  /** A look that counts as a loss of the way when it fails, and heeds no signal. */
  async #lookOrLose(watched: Watched, budgetMs: number): Promise<void> {
    try {
      await withinBudget(`a look at ${watched.host.name}`, 2 * budgetMs, (signal) =>
        this.#look(watched, { budgetMs, signal }),
      );
    } catch (error) {
      this.#lost(watched, error);
    }
  }

  async #follow(watched: Watched): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#clock.sleep(EVERY_MS, signal);
        await this.#look(watched, { budgetMs: LOOK_BUDGET_MS, signal });
      } catch (error) {
        if (!signal.aborted) this.#lost(watched, error);
      }
    }
  }

  async #look(
    watched: Watched,
    limits: { readonly budgetMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    await watched.turn(async () => {
      limits.signal.throwIfAborted(); // its budget may be spent by now
      const askedMs = this.#clock.nowMs();
      const ends = watched.units.see(await lookAtUnits(watched.host, limits));
      watched.stoodMs = askedMs;
      this.#regained(watched);
      for (const end of ends) await this.#tellEnd(watched.host, end, limits.budgetMs);
    });
  }

  /** What was seen to end is told, whether or not the journal can be read. */
  async #tellEnd(host: Host, { role, invocation, manner }: UnitEnd, budgetMs: number): Promise<void> {
    const whole = new AbortController().signal;
    const words = await lastWordsOf(host, { role, invocation }, { budgetMs, signal: whole }).catch(
      (error: unknown): LastWords => ({
        code: null,
        signal: null,
        lines: [`its journal could not be read: ${messageOf(error)}`],
      }),
    );
    const { code, signal, lines } = words;
    const end: ProcessEnd = { node: host.name, role, code, signal, lastWords: lines };
    keep(this.#ends, [end, manner] as const);
    for (const tell of this.#endListeners) tell(end, manner);
  }

  #lost(watched: Watched, error: unknown): void {
    if (watched.lostMs !== null) return;
    watched.lostMs = this.#clock.nowMs();
    this.#tellControl({
      node: watched.host.name,
      state: 'lost',
      code: codeOf(error),
      why: messageOf(error),
      sinceMs: watched.stoodMs,
    });
  }

  #regained(watched: Watched): void {
    if (watched.lostMs === null) return;
    const atMs = this.#clock.nowMs();
    const afterMs = atMs - watched.lostMs;
    watched.lostMs = null;
    this.#tellControl({ node: watched.host.name, state: 'regained', afterMs, atMs });
  }

  #tellControl(change: ControlChange): void {
    keep(this.#changes, change);
    for (const tell of this.#controlListeners) tell(change);
  }
}

function keep<T>(list: T[], value: T): void {
  list.push(value);
  if (list.length > KEPT_MAX) list.shift();
}
