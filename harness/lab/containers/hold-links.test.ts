import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdLinks, linksOfMembers } from './hold-links.ts';
import { NO_LINKS } from './lab-links.ts';
import { planLab } from './lab-plan.ts';
import { type LabState, writeLabState } from './lab-state.ts';
import { hostLinks } from './port-links.ts';

const { signal } = new AbortController();
const HEAD = 'format = "meshproof.links.v1"\ndescription = "d"\nsource = "s"\n';
const PROFILE = {
  name: '/gone/since.toml',
  text: `${HEAD}[[place]]\nname = "berlin"\n[[place]]\nname = "field"\n[[link]]\nfrom = "berlin"\nto = "field"\nlatency_ms = 7\n[default]\n`,
};

describe('the links of a lab in the words of an inventory', () => {
  const plan = planLab('/var/lib/lab', 3);
  const [berlin, field] = plan.hosts;
  const members = (...hosts: readonly (readonly [name: string, address: string | undefined])[]) => ({
    source: 'x.toml',
    dir: plan.dir,
    hosts: hosts.map(([name, meshAddress]) => ({ name, meshAddress: meshAddress ?? '' })),
  });

  it('are those of the addresses, whatever the inventory calls the machines, as the file said when it was set', () => {
    const renamed = members(['lab1', field?.address6], ['z', berlin?.address]);
    const links = linksOfMembers(plan, hostLinks(plan, PROFILE), renamed);
    expect(links?.figuresOf('z', 'lab1').latencyMs).toBe(7);
    expect(links?.figuresOf('lab1', 'z').latencyMs).toBe(0);
    expect([...(links?.regions ?? [])]).toEqual([
      ['lab1', 'field'],
      ['z', 'berlin'],
    ]);
  });

  it('are none where the lab has none, but only for machines of the lab', () => {
    expect(linksOfMembers(plan, undefined, members(['a', berlin?.address]))).toBeUndefined();
    expect(() => linksOfMembers(plan, undefined, members(['a', '192.0.2.1']))).toThrow(
      /^x\.toml: mesh_address of "a" is "192\.0\.2\.1": expected that of a machine of the lab in \/var\/lib\/lab \(10\.213\./,
    );
  });
});

describe.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)('a run over a lab', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'meshproof-hold-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));
  const hold = () => holdLinks({ source: 'x.toml', dir, hosts: [] }, signal);
  const written = async (links: LabState['links']) => {
    const plan = planLab(dir, 2);
    const state = { format: 'meshproof.lab.v1', id: plan.id, stage: 'up', host_count: 2, hosts: {} } as const;
    await writeLabState(plan, { ...state, links });
  };

  it('does not start where the inventory names no lab, naming file, field and value', async () => {
    await expect(hold()).rejects.toMatchObject({
      code: 'NO_LAB',
      message: expect.stringMatching(`x.toml: lab.dir is "${dir}": expected the directory of a lab`),
    });
  });

  it('does not start over links that are half set', async () => {
    await written({ profile: PROFILE, stage: 'changing' });
    await expect(hold()).rejects.toMatchObject({
      code: 'LAB_LINKS_UNFINISHED',
      message: expect.stringMatching(/`lab links --profile \/gone\/since\.toml --dir .*` does$/),
    });
  });

  it('does not start over a lab that is off', async () => {
    await written(NO_LINKS);
    await expect(hold()).rejects.toMatchObject({ code: 'LAB_OFF' });
  });
});
