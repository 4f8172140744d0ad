import type { ActiveFault } from './active-fault.ts';
import { FaultSession, type SessionModules } from './fault-session.ts';

/**
 * All faults of a run. A scenario gets a session; what it leaves behind is ended with it, and when the run is over every
 * host that ever had a fault is looked at once more, whatever was found before.
 */
export class FaultController {
  readonly #modules: Omit<SessionModules, 'nextId' | 'opened'>;
  readonly #ever: ActiveFault[] = []; // small, and each of them must be looked at again
  readonly #open = new Set<FaultSession>();
  #lastId = 0;

  constructor(modules: Omit<SessionModules, 'nextId' | 'opened'>) {
    this.#modules = modules;
  }

  openSession(at: { readonly window: number; readonly scenario: string }): FaultSession {
    const session = new FaultSession(at, {
      ...this.#modules,
      nextId: () => {
        this.#lastId += 1;
        return `f${this.#lastId}`;
      },
      opened: (fault) => this.#ever.push(fault),
    });
    this.#open.add(session);
    return session;
  }

  /** Whether a fault keeps a process of `node` from answering now. */
  isHeldDown(node: string): boolean {
    return [...this.#open].some((session) => session.isHeldDown(node));
  }

  async closeSession(session: FaultSession): Promise<void> {
    await session.close();
    this.#open.delete(session);
  }

  /**
   * Ends what stands and looks at every host again. Heeds no signal: it has deadlines of its own.
   * @throws what kept the evidence from being written
   */
  async close(): Promise<void> {
    const ended = await Promise.allSettled([...this.#open].map((session) => session.close()));
    this.#open.clear();
    const looked = await Promise.allSettled(this.#ever.map((fault) => fault.lookAgain()));
    const failure = [...ended, ...looked].find((outcome) => outcome.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  }
}
