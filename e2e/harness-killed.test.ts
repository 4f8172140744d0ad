import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ProgressEvent } from '../harness/progress/progress.ts';
import { realClock } from '../kit/clock.ts';
import { until } from '../kit/deadline.ts';
import { Random } from '../kit/random.ts';
import { readJournal } from '../proofs/read-journal.ts';
import { isLongForm } from './long-form.ts';
import { isAlive, MeshproofProcess } from './meshproof-process.ts';

const MOMENTS: readonly ProgressEvent['event'][] = [
  'process_started',
  'mesh_ready',
  'scenario_started',
  'pairs_delivered',
  'window_judged',
];
const GONE_WITHIN_MS = 30_000;
/** From the start of the run: the mesh comes up, two windows run, and the time between them passes. */
const MOMENT_MAX_MS = 6_000;

const seed = Number(process.env.MESHPROOF_TEST_SEED ?? Random.freshSeed());
const random = new Random(seed);
const RANDOM_MOMENTS = Array.from({ length: isLongForm ? 12 : 2 }, () => random.int(0, MOMENT_MAX_MS));

function soak(): Promise<MeshproofProcess> {
  return MeshproofProcess.start(
    'soak',
    '--local',
    '2',
    '--settle-secs',
    '5',
    '--telemetry-secs',
    '0.5',
    '--burst-messages',
    '50',
    '--duration-hours',
    '0.01',
    '--interval-mins',
    '0.06',
  );
}

/** The chain itself is verified by the reader, which throws at the first line that does not fit. */
async function expectWholeJournal(run: MeshproofProcess): Promise<void> {
  const { entries } = await readJournal(join(run.proofDir, 'journal.ndjson'));
  const records = entries.map(({ record }) => record);
  expect(records[0]?.type).toBe('run_started');
  expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, index) => index + 1));
  for (const [index, { prev }] of entries.entries()) {
    if (index > 0) expect(prev).toBe(entries[index - 1]?.hash);
  }
  // What was told had been made durable before.
  const told = run.events.filter(({ event }) => event === 'window_started' || event === 'mesh_ready');
  for (const { event } of told) expect(records.map(({ type }) => type)).toContain(event);
  const finished = records.filter(({ type }) => type === 'scenario_finished');
  const toldFinished = run.events.filter(({ event }) => event === 'scenario_finished');
  expect(finished.length).toBeGreaterThanOrEqual(toldFinished.length);
}

async function expectKilledWell(run: MeshproofProcess): Promise<void> {
  run.child.kill('SIGKILL');
  await run.exit();
  await until(`no process left (seed ${seed})`, () => (run.pids.some(isAlive) ? undefined : true), {
    budgetMs: GONE_WITHIN_MS,
  });
  await expectWholeJournal(run);
}

describe.concurrent(`a harness that is killed with SIGKILL (seed ${seed})`, () => {
  it.for(MOMENTS)('leaves no process and a whole journal when it dies at %s', async (moment) => {
    await using run = await soak();
    await run.event(moment);
    await expectKilledWell(run);
  });

  it.for(RANDOM_MOMENTS)(
    'leaves no process and a whole journal when it dies %i ms into the run',
    async (ms) => {
      await using run = await soak();
      await run.event('run_started');
      await realClock.sleep(ms);
      await expectKilledWell(run);
    },
  );
});
