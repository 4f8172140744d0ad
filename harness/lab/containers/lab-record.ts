import pLimit from 'p-limit';
import type { LabPlan } from './lab-plan.ts';
import { type LabState, type ProcessId, type StandingLinks, writeLabState } from './lab-state.ts';

/** The state of a lab while hosts come up at once: one change after the other, each on the disk before the next. */
export class LabRecord {
  readonly #plan: LabPlan;
  readonly #oneByOne = pLimit(1);
  #state: LabState;

  constructor(plan: LabPlan, state: LabState) {
    this.#plan = plan;
    this.#state = state;
  }

  get state(): LabState {
    return this.#state;
  }

  async begin(): Promise<void> {
    await this.#write((state) => ({ ...state, stage: 'raising' }));
  }

  /** All that was begun is done, the links too. */
  async finish(): Promise<void> {
    await this.#write((state) => ({ ...state, stage: 'up', links: { ...state.links, stage: 'set' } }));
  }

  async noteSupervisor(host: string, supervisor: ProcessId): Promise<void> {
    await this.#write((state) => ({ ...state, hosts: { ...state.hosts, [host]: { supervisor } } }));
  }

  async noteLinks(links: StandingLinks): Promise<void> {
    await this.#write((state) => ({ ...state, links }));
  }

  async #write(change: (state: LabState) => LabState): Promise<void> {
    await this.#oneByOne(async () => {
      this.#state = change(this.#state);
      await writeLabState(this.#plan, this.#state);
    });
  }
}
