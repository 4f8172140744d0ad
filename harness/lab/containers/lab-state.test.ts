import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { planLab } from './lab-plan.ts';
import { LabRecord } from './lab-record.ts';
import { type LabState, readLabState } from './lab-state.ts';

const STATE: LabState = {
  format: 'meshproof.lab.v1',
  id: '00000000',
  stage: 'raising',
  host_count: 2,
  links: 'none',
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
    const record = new LabRecord(plan, STATE);
    const supervisor = { pid: 7, start_ticks: 11, boot_id: 'b' };
    await Promise.all(plan.hosts.map(({ name }) => record.noteSupervisor(name, supervisor)));
    await record.enter('up');
    const state = await readLabState(plan.stateFile);
    expect(state?.stage).toBe('up');
    expect(Object.keys(state?.hosts ?? {})).toHaveLength(20);
    expect(await readdir(dir)).toEqual(['lab.json']);
  });

  it('is nothing where there is no file, and an error that says what to do where it is damaged', async () => {
    const file = join(dir, 'lab.json');
    expect(await readLabState(file)).toBeUndefined();
    await writeFile(file, '{"format":"meshproof.lab.v1"');
    await expect(readLabState(file)).rejects.toThrow(/lab\.json is damaged.*lab down/);
  });
});
