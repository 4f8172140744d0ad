import { open, readFile, rename, rm } from 'node:fs/promises';
import * as z from 'zod';
import { FaultError, messageOf, UsageError } from '../../../kit/errors.ts';
import { schemaError } from '../../../kit/toml.ts';
import type { LabPlan } from './lab-plan.ts';

const FORMAT = 'meshproof.lab.v1';

/** One process, for ever. */
const processSchema = z.strictObject({
  pid: z.int().positive(),
  /** Clock ticks from the machine's boot to the start of the process: with the pid, it names one process for ever. */
  start_ticks: z.int().nonnegative(),
  boot_id: z.string(),
});

/** What lies between the hosts; `profile` as it was read when it was set, or null for the bridge alone. */
const standingLinksSchema = z.strictObject({
  profile: z.strictObject({ name: z.string(), text: z.string() }).nullable(),
  /** `changing` from before the first port is touched until all are done. */
  stage: z.enum(['changing', 'set']),
});

const labStateSchema = z.strictObject({
  format: z.literal(FORMAT, `expected "${FORMAT}"`),
  id: z.string(),
  /** What was being done last; written before it is begun. */
  stage: z.enum(['raising', 'up', 'lowering']),
  host_count: z.int().positive(),
  links: standingLinksSchema,
  hosts: z.record(z.string(), z.strictObject({ supervisor: processSchema })),
});

export type ProcessId = z.infer<typeof processSchema>;
export type LabState = z.infer<typeof labStateSchema>;
export type StandingLinks = LabState['links'];

/**
 * What the lab's own file says; `undefined` when there is none.
 * @throws FaultError `LAB_STATE` for a file that nobody can read; `lab down` works without it
 * @throws UsageError `LAB_MOVED` for that of a lab whose names are not those of this directory
 */
export async function readLabState({
  id,
  stateFile,
}: Pick<LabPlan, 'id' | 'stateFile'>): Promise<LabState | undefined> {
  const text = await readFile(stateFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const state = parseState(text, stateFile);
  if (state.id === id) return state;
  throw new UsageError(
    'LAB_MOVED',
    `${stateFile}: id is "${state.id}": expected "${id}", which follows from the directory; the lab was made in another ` +
      'one: move it back there, or remove this copy by hand',
    { details: { file: stateFile, id: state.id, expected: id } },
  );
}

function parseState(text: string, file: string): LabState {
  let document: unknown;
  try {
    document = JSON.parse(text);
    return labStateSchema.parse(document);
  } catch (error) {
    const why =
      error instanceof z.ZodError
        ? schemaError(file, document, error).message
        : `${file}: ${messageOf(error)}`;
    const isOurs = text.includes(FORMAT);
    const then = isOurs
      ? '`lab down` removes the lab'
      : 'it is no lab of meshproof: --dir names another directory';
    throw new FaultError('LAB_STATE', `${why}; ${then}`, {
      details: { file, is_ours: isOurs },
      cause: error,
    });
  }
}

/** Writes the state whole or not at all, and to the disk before it returns. */
export async function writeLabState({ stateFile }: LabPlan, state: LabState): Promise<void> {
  const fresh = `${stateFile}.new`;
  await rm(fresh, { force: true });
  try {
    const file = await open(fresh, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(state, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, stateFile);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}
