import { open, readFile, rename, rm } from 'node:fs/promises';
import { z } from 'zod';
import { FaultError, messageOf } from '../../../kit/errors.ts';
import type { LabPlan } from './lab-plan.ts';

/** One process, for ever. */
const processSchema = z.strictObject({
  pid: z.int().positive(),
  /** Clock ticks from the machine's boot to the start of the process: with the pid, it names one process for ever. */
  start_ticks: z.int().nonnegative(),
  boot_id: z.string(),
});

const labStateSchema = z.strictObject({
  format: z.literal('meshproof.lab.v1'),
  id: z.string(),
  /** What was being done last; written before it is begun. */
  stage: z.enum(['raising', 'up', 'lowering']),
  host_count: z.int().positive(),
  /** Name or absolute path of the link profile between the hosts, or `none`. */
  links: z.string().default('none'),
  hosts: z.record(z.string(), z.strictObject({ supervisor: processSchema })),
});

export type ProcessId = z.infer<typeof processSchema>;
export type LabState = z.infer<typeof labStateSchema>;

/**
 * What the lab's own file says; `undefined` when there is none.
 * @throws FaultError `LAB_STATE` for a file that nobody can read; `lab down` works without it
 */
export async function readLabState(file: string): Promise<LabState | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return labStateSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new FaultError(
      'LAB_STATE',
      `${file} is damaged: ${messageOf(error)}; \`lab down\` removes the lab`,
      {
        cause: error,
      },
    );
  }
}

/** Writes the state whole or not at all, and to the disk before it returns. */
export async function writeLabState({ stateFile }: LabPlan, state: LabState): Promise<void> {
  const fresh = `${stateFile}.new`;
  await rm(fresh, { force: true });
  const file = await open(fresh, 'wx', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(state, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, stateFile);
}
