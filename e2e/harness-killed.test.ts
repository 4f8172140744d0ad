import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ProgressEvent } from '../harness/progress/progress.ts';
import { realClock } from '../kit/clock.ts';
import { until } from '../kit/deadline.ts';
import { Random } from '../kit/random.ts';
import { readJournal } from '../proofs/read-journal.ts';
import { isAlive, MeshproofProcess } from './meshproof-process.ts';

const MOMENTS: readonly ProgressEvent['event'][] = [
  'process_started',
  'mesh_ready',
  'scenario_started',
  'pairs_delivered',
  'window_judged',
];
const GONE_WITHIN_MS = 15_000;

describe('a harness that is killed with SIGKILL', () => {
  it.for(MOMENTS)('leaves no process and a whole journal when it dies at %s', async (moment) => {
    const seed = Random.freshSeed();
    await using run = await MeshproofProcess.start(
      'soak',
      '--local',
      '3',
      '--settle-secs',
      '5',
      '--duration-hours',
      '0.02',
      '--interval-mins',
      '0.2',
    );
    await run.event(moment);
    await realClock.sleep(new Random(seed).int(0, 200)); // so that each run dies somewhere else
    run.child.kill('SIGKILL');
    await run.exit();
    await until(`no process left (seed ${seed})`, () => (run.pids.some(isAlive) ? undefined : true), {
      budgetMs: GONE_WITHIN_MS,
    });
    const { entries } = await readJournal(join(run.proofDir, 'journal.ndjson'));
    expect(entries[0]?.record.type).toBe('run_started');
  });
});
