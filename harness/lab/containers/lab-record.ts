import pLimit from 'p-limit';
import type { LabPlan } from './lab-plan.ts';
import { type LabState, type ProcessId, writeLabState } from './lab-state.ts';

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

  async enter(stage: LabState['stage']): Promise<void> {
    await this.#write((state) => ({ ...state, stage }));
  }

  async noteSupervisor(host: string, supervisor: ProcessId): Promise<void> {
    await this.#write((state) => ({ ...state, hosts: { ...state.hosts, [host]: { supervisor } } }));
  }

  async noteLinks(links: string): Promise<void> {
    await this.#write((state) => ({ ...state, links }));
  }

  async #write(change: (state: LabState) => LabState): Promise<void> {
    await this.#oneByOne(async () => {
      this.#state = change(this.#state);
      await writeLabState(this.#plan, this.#state);
    });
  }
}
