import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import * as z from 'zod';
import { ensureBundle } from '../../harness/deploy/bundle.ts';
import { BUNDLE_BANNER } from '../../harness/deploy/bundle-files.ts';
import { FaultError } from '../../kit/errors.ts';
import { runInVm } from './boot.ts';
import type { Kernel } from './debian-kernel.ts';

const BUDGET_MS = 1_200_000; // a tenth of it on an idle machine
const MODULES = [
  ...['crc32c_generic', 'nf_tables', 'veth', 'ifb', 'tun'],
  ...['sch_prio', 'sch_netem', 'sch_htb', 'sch_tbf', 'sch_fq_codel', 'cls_u32'],
];
const checkSchema = z.object({ check: z.string(), secs: z.number(), figures: z.unknown() });

/** What one check measured in the virtual machine, or the error that it ended with. */
export type Checked = z.infer<typeof checkSchema>;

/**
 * Boots `kernel` and tries the shipped fault program there. Gives what each check measured.
 * @throws FaultError `VM_CHECKS_ENDED` when the checks did not come to their end
 */
export async function tryKernel(
  kernel: Kernel,
  cache: string,
  { deaths, seed }: { readonly deaths: number; readonly seed: number },
): Promise<ReadonlyMap<string, Checked>> {
  const faults = join(dirname((await ensureBundle()).nodeEntry), 'faults.js');
  const programs = await mkdtemp(join(cache, 'in-vm-'));
  try {
    await bundle(programs);
    const argv = [...['/usr/bin/env', 'NODE_COMPILE_CACHE=/run/compiled'], process.execPath];
    const args = [
      join(programs, 'in-vm.mjs'),
      faults,
      join(programs, 'link-ends.mjs'),
      String(deaths),
      String(seed),
    ];
    const { code, output } = await runInVm(kernel, {
      argv: [...argv, ...args],
      modules: MODULES,
      budgetMs: BUDGET_MS,
    });
    if (code !== 0)
      throw new FaultError('VM_CHECKS_ENDED', `the checks ended with code ${code}: ${output.slice(-2_000)}`);
    const lines = output.split('\n').filter((line) => line.startsWith('{'));
    const checked = lines.map((line) => checkSchema.parse(JSON.parse(line)));
    return new Map(checked.map((one) => [one.check, one]));
  } finally {
    await rm(programs, { recursive: true, force: true });
  }
}

/** One file each: stripping types would take the machine half a minute. */
async function bundle(outdir: string): Promise<void> {
  const entryPoints = {
    'in-vm': join(import.meta.dirname, 'in-vm.ts'),
    'link-ends': join(import.meta.dirname, 'link-ends.ts'),
  };
  await build({
    entryPoints,
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    banner: { js: BUNDLE_BANNER },
    logLevel: 'silent',
  });
  await writeFile(join(outdir, 'package.json'), '{}');
}
