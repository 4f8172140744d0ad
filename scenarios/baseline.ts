import * as z from 'zod';
import { SETTLE_FLAG, scenario } from './scenario.ts';

/** Phase A: a direct message over every directed pair, with nothing else going on. */
export const baseline = scenario({
  name: 'baseline',
  summary: 'Phase A: one acknowledged direct message over every directed pair',
  destructive: null,
  options: z.strictObject({
    settle_secs: z.number().positive().default(60).describe('deadline for receipts after the last command'),
  }),
  flags: [SETTLE_FLAG],
  async run({ matrix }, { settle_secs }) {
    await matrix.phaseA({ settleMs: settle_secs * 1_000 });
  },
});
