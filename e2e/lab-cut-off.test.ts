import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { NO_LINKS } from '../harness/lab/containers/lab-links.ts';
import { planLab } from '../harness/lab/containers/lab-plan.ts';
import { writeLabState } from '../harness/lab/containers/lab-state.ts';
import { traces } from './lab-traces.ts';
import { makeLabsHome, removeLabsHome, whyNoLab } from './own-lab.ts';
import { meshproof } from './short-command.ts';

const SCRIPT_BUDGET_MS = 100_000;
const run = promisify(execFile);
const reason = await whyNoLab();

describe.skipIf(reason !== undefined)(
  `a lab that was cut off${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let home: string;
    beforeAll(async () => {
      home = await makeLabsHome();
    });
    afterAll(() => removeLabsHome(home));

    it('from its removal is made anew, without what was half removed', async () => {
      const other = join(home, 'half-removed');
      const plan = planLab(other, 1);
      const disk = plan.hosts[0]?.disk ?? '';
      await mkdir(join(disk, 'root'), { recursive: true });
      await writeFile(join(disk, 'root/of-before'), '');
      await writeFile(join(other, 'inventory.toml.new'), '');
      await writeFile(`/run/netns/${plan.prefix}lab1`, ''); // as ip-netns leaves it when it is killed
      const [format, links] = ['meshproof.lab.v1', NO_LINKS] as const;
      await writeLabState(plan, { format, id: plan.id, stage: 'lowering', host_count: 1, links, hosts: {} });
      expect(await meshproof('lab', 'up', '--dir', other)).toMatchObject({ stderr: '', code: 0 });
      const shown = await meshproof('lab', 'exec', 'lab1', '--dir', other, '--', 'ls', '-A', '/root');
      expect(shown.stdout).toBe('.ssh\n');
      expect(await meshproof('lab', 'down', '--dir', other)).toMatchObject({ stderr: '', code: 0 });
      expect(await traces(other)).toEqual([]);
      expect(existsSync(other)).toBe(false);
    });

    it('by a file system that is full, or too small from the beginning, says so and can be removed', async () => {
      const full = join(home, 'full');
      await mkdir(full);
      // The mount, and whatever becomes of it, is in a namespace that ends with the script.
      const script = `mount -t tmpfs -o size=10m tmpfs "$1" && cd "$2" || exit 99
        dir=$1 node=$3 meshproof=$4
        lab() { "$node" "$meshproof" lab "$@" --dir "$dir" 2>&1; echo "code $?"; }
        lab up --hosts 1
        mount -o remount,size=40m "$1"
        lab up --hosts 1
        dd if=/dev/zero of="$1/fill" bs=4k 2>/dev/null
        lab up; lab down; ls -A "$1"`;
      const argv = ['sh', '-c', script, 'sh', full, process.cwd(), process.execPath, inject('meshproof')];
      const { stdout } = await run('unshare', ['--mount', ...argv], { timeout: SCRIPT_BUDGET_MS });
      expect(stdout).toMatch(/^meshproof: .* has 10 MiB free: expected 16, .*\[LAB_NEEDS\]\ncode 5\n/);
      expect(stdout).toMatch(/code 0\n(.*\n)*.*\[LAB_DISK\]\ncode 5\nlab in .* removed: .*\ncode 0\nfill\n$/);
      expect(await traces(full)).toEqual([]);
    });
  },
);
