import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks';
import type { SigningStats } from './signing.ts';

const LONGEST_US = 60_000_000; // a slower operation is recorded as one minute

const microseconds = () => createHistogram({ lowest: 1, highest: LONGEST_US, figures: 2 });

function percentile(histogram: RecordableHistogram, share: number): number | null {
  return histogram.count === 0 ? null : histogram.percentile(share) / 1_000;
}

type Measured = Pick<SigningStats, 'signsTotal' | 'verifiesTotal' | 'signMs' | 'verifyMs'>;

/** Counts operations and their times from call to result, waiting included, in two fixed-size histograms. */
export class SigningMeter {
  readonly #signUs = microseconds();
  readonly #verifyUs = microseconds();

  signed(startedMs: number): void {
    this.#record(this.#signUs, startedMs);
  }

  verified(startedMs: number): void {
    this.#record(this.#verifyUs, startedMs);
  }

  #record(histogram: RecordableHistogram, startedMs: number): void {
    const tookUs = Math.round((performance.now() - startedMs) * 1_000);
    histogram.record(Math.min(LONGEST_US, Math.max(1, tookUs)));
  }

  stats(): Measured {
    const both = (histogram: RecordableHistogram) => ({
      p50: percentile(histogram, 50),
      p99: percentile(histogram, 99),
    });
    return {
      signsTotal: this.#signUs.count,
      verifiesTotal: this.#verifyUs.count,
      signMs: both(this.#signUs),
      verifyMs: both(this.#verifyUs),
    };
  }
}
