import * as z from 'zod';
import { isSeen } from '../proofs/observation.ts';
import { type ScenarioContext, scenario } from './scenario.ts';

/** Beyond this, times of two hosts cannot be set side by side any more: latencies of bursts, ends of leases, logs. */
const SKEW_LIMIT_MS = 500;
const BETWEEN_ASKS_MS = 200;

/** Asks every host for its time, and says how far it is off. Reports only: no objective looks at it. */
export const clockSkew = scenario({
  name: 'clock_skew',
  summary: "every host's wall clock compared with the harness's; reports, never decides",
  destructive: null,
  options: z.strictObject({
    asks: z.int().min(1).max(100).default(7).describe('per node; the quickest answer counts'),
  }),
  flags: [
    {
      flag: 'clock-asks',
      option: 'asks',
      describe: 'times that each host is asked for its time (default 7)',
      takes: { number: 'whole', low: 1, high: 100 },
    },
  ],
  async run(context, { asks }) {
    const sure = await Promise.all(context.fleet.nodes.map((node) => measureNode(context, node, asks)));
    const skewed = sure.filter((text) => text !== null);
    const why = skewed.length === 0 ? {} : { why: skewed.join('; ') };
    await context.measure({ name: 'skewed_nodes', value: skewed.length, ...why });
  },
});

interface Reading {
  readonly offsetMs: number;
  readonly uncertaintyMs: number;
}

/** Gives what to tell of a clock that is surely more than the limit off; null of every other one. */
async function measureNode(
  { mesh, clock, measure, signal }: ScenarioContext,
  node: string,
  asks: number,
): Promise<string | null> {
  let best: Reading | null = null;
  let silence = 'no answer';
  for (let ask = 1; ask <= asks; ask += 1) {
    if (ask > 1) await clock.sleep(BETWEEN_ASKS_MS, signal);
    const answer = await mesh.clockOffset(node);
    if (!isSeen(answer)) silence = answer.why;
    else if (best === null || answer.seen.uncertaintyMs < best.uncertaintyMs) best = answer.seen;
  }
  if (best === null) {
    await measure({ name: 'offset_ms', node, value: null, why: silence });
    await measure({ name: 'uncertainty_ms', node, value: null, why: silence });
    return null;
  }
  const { offsetMs, uncertaintyMs } = best;
  const text = `${node} is ${offsetMs.toFixed(0)} ± ${uncertaintyMs.toFixed(0)} ms off`;
  const isSkewed = Math.abs(offsetMs) - uncertaintyMs > SKEW_LIMIT_MS;
  const said = isSkewed ? `${text}, more than ${SKEW_LIMIT_MS} ms` : text;
  await measure({ name: 'offset_ms', node, value: offsetMs, why: said });
  await measure({ name: 'uncertainty_ms', node, value: uncertaintyMs });
  return isSkewed ? said : null;
}
