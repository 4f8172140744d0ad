import type { RecordOf } from '../../proofs/evidence.ts';
import type { ControlChannel, ControlTally } from '../matrix/control-channel.ts';

type TallyRecord = RecordOf<'control_tally'>;

/** Turns the running tally of the control plane into records, each of what came since the one before. */
export class ControlTallies {
  readonly #channel: Pick<ControlChannel, 'tally'>;
  #before: ReadonlyMap<string, Readonly<ControlTally>> = new Map();

  constructor(channel: Pick<ControlChannel, 'tally'>) {
    this.#channel = channel;
  }

  /** One record per runner for `window`, clean ones included: what is not tallied was not watched. */
  ofWindow(window: number): readonly TallyRecord[] {
    return this.#since(window);
  }

  /** What was met outside windows; runners of which there is nothing to say have no record. */
  outsideWindows(): readonly TallyRecord[] {
    return this.#since(null).filter(
      ({ forged, lost, doubled, malformed, reconnects, restarts }) =>
        forged + lost + doubled + malformed + reconnects + restarts > 0,
    );
  }

  #since(window: number | null): readonly TallyRecord[] {
    const before = this.#before;
    const now = this.#channel.tally();
    this.#before = now;
    return [...now].map(([node, tally]) => {
      const grown = (count: keyof ControlTally) => tally[count] - (before.get(node)?.[count] ?? 0);
      return {
        type: 'control_tally',
        window,
        node,
        results: grown('results'),
        forged: grown('forged'),
        lost: grown('lost'),
        doubled: grown('doubled'),
        malformed: grown('malformed'),
        reconnects: grown('reconnects'),
        restarts: grown('restarts'),
      };
    });
  }
}
