import type { Random } from '../../../kit/random.ts';

/**
 * How far apart two independent draws lie, in standard deviations of the jitter. At 2π the delay falls by more than
 * 1 ms per ms (so that a packet would overtake another and has to wait) only beyond four standard deviations of its
 * slope: 3 in 100,000 of the time.
 */
const KNOT_DISTANCE_SIGMAS = 2 * Math.PI;
const KNOT_DISTANCE_MIN_MS = 1;

/**
 * A delay that varies as queues on a path do: smoothly, and at every moment distributed normally with the standard
 * deviation asked for. Independent draws per packet would either reorder a stream or, kept in order, hold every packet
 * behind the slowest before it, and the mean would depend on the density of the traffic.
 *
 * Between two independent draws a and b the value is a·cos θ + b·sin θ: the squares of the weights add up to one.
 */
export class Jitter {
  readonly #random: Random;
  #knot = Number.NaN;
  #before = 0;
  #after = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The deviation from the mean delay at `nowMs`, which must not go back. */
  at(nowMs: number, sigmaMs: number): number {
    if (sigmaMs === 0) return 0;
    const distanceMs = Math.max(KNOT_DISTANCE_MIN_MS, KNOT_DISTANCE_SIGMAS * sigmaMs);
    const position = nowMs / distanceMs;
    const knot = Math.floor(position);
    if (knot !== this.#knot) {
      this.#before = knot === this.#knot + 1 ? this.#after : this.#draw();
      this.#after = this.#draw();
      this.#knot = knot;
    }
    const angle = ((position - knot) * Math.PI) / 2;
    return sigmaMs * (this.#before * Math.cos(angle) + this.#after * Math.sin(angle));
  }

  /** One draw of the standard normal distribution (Box–Muller). */
  #draw(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.#random.float()));
    return radius * Math.cos(2 * Math.PI * this.#random.float());
  }
}
