import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { planLab } from './lab-plan.ts';
import { LabRecord } from './lab-record.ts';
import { type LabState, readLabState, writeLabState } from './lab-state.ts';

const STATE: LabState = {
  format: 'meshproof.lab.v1',
  id: '00000000',
  stage: 'raising',
  host_count: 2,
  links: { profile: null, stage: 'changing' },
  hosts: {},
};

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meshproof-state-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('the state of a lab', () => {
  it('keeps what all hosts write at once', async () => {
    const plan = planLab(dir, 20);
    const record = new LabRecord(plan, { ...STATE, id: plan.id });
    const supervisor = { pid: 7, start_ticks: 11, boot_id: 'b' };
    await Promise.all(plan.hosts.map(({ name }) => record.noteSupervisor(name, supervisor)));
    await record.finish();
    const state = await readLabState(plan);
    expect(state).toMatchObject({ stage: 'up', links: { stage: 'set' } });
    expect(Object.keys(state?.hosts ?? {})).toHaveLength(20);
    expect(await readdir(dir)).toEqual(['lab.json']);
  });

  it('is nothing where there is no file, and an error that says what to do where it is damaged', async () => {
    const plan = planLab(dir, 1);
    expect(await readLabState(plan)).toBeUndefined();
    await writeFile(plan.stateFile, '{"format":"meshproof.lab.v1"');
    await expect(readLabState(plan)).rejects.toThrow(/lab\.json: .*JSON.*lab down/);
    await writeFile(plan.stateFile, JSON.stringify({ ...STATE, host_count: 0 }));
    await expect(readLabState(plan)).rejects.toThrow(/lab\.json: host_count is 0: .*lab down/);
    await writeFile(plan.stateFile, '{}');
    await expect(readLabState(plan)).rejects.toThrow(/lab\.json: format is missing: .*--dir names another/);
  });

  it('is not that of a lab that was made in another directory', async () => {
    const plan = planLab(dir, 1);
    await writeLabState(plan, STATE);
    await expect(readLabState(plan)).rejects.toMatchObject({
      code: 'LAB_MOVED',
      message: expect.stringContaining(`id is "00000000": expected "${plan.id}"`),
    });
  });

  it('leaves nothing half written beside it where it cannot be written', async () => {
    const plan = { ...planLab(dir, 1), stateFile: join(dir, 'lab.json') };
    await mkdir(plan.stateFile); // a file cannot be renamed onto it
    await expect(writeLabState(plan, STATE)).rejects.toThrow(/EISDIR/);
    expect(await readdir(dir)).toEqual(['lab.json']);
  });
});
