import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { FaultError, messageOf } from '../../kit/errors.ts';

const DOWNLOAD_BUDGET_MS = 300_000;
const PACKAGE = 'linux-image-amd64';
/** Debian packages that a boot needs on the machine that boots it. */
const PROGRAMS = {
  'qemu-system-x86_64': 'qemu-system-x86',
  busybox: 'busybox-static',
  'apt-get': 'apt',
  'dpkg-deb': 'dpkg',
} as const;

/** A kernel with its modules, unpacked and indexed. */
export interface Kernel {
  readonly version: string;
  readonly image: string;
  /** The directory that `lib/modules/VERSION` stands in. */
  readonly root: string;
}

/** What keeps this machine from booting a kernel of its own, or null: a reason that names the package to install. */
export function missingForBoot(): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `needs linux-x64, this is ${process.platform}-${process.arch}`;
  const path = (process.env.PATH ?? '').split(':').concat('/usr/sbin', '/sbin');
  for (const [program, debianPackage] of Object.entries(PROGRAMS)) {
    if (!path.some((dir) => existsSync(join(dir, program)))) {
      return `${program} is missing; apt-get install ${debianPackage}`;
    }
  }
  return null;
}

/** The kernel that was fetched before, or null. */
export async function fetchedKernel(cache: string): Promise<Kernel | null> {
  await mkdir(cache, { recursive: true });
  const known = (await readdir(cache)).find((name) => name.startsWith('linux-image-'));
  return known === undefined ? null : await kernelIn(join(cache, known));
}

/**
 * Debian's current kernel under `cache`, fetched once with apt and never installed.
 * @throws FaultError `KERNEL_UNAVAILABLE` when apt cannot give it
 */
export async function debianKernel(cache: string): Promise<Kernel> {
  return (await fetchedKernel(cache)) ?? (await kernelIn(join(cache, await fetchInto(cache))));
}

async function fetchInto(cache: string): Promise<string> {
  const work = await mkdtemp(join(cache, 'fetch-'));
  const run = (file: string, args: readonly string[]) =>
    execa(file, args, { cwd: work, timeout: DOWNLOAD_BUDGET_MS });
  try {
    const { stdout } = await run('apt-cache', ['depends', PACKAGE]);
    const name = /Depends: (linux-image-\S+)/.exec(stdout)?.[1];
    if (name === undefined) throw new Error(`${PACKAGE} depends on no kernel image; run apt-get update`);
    await run('apt-get', ['download', name]);
    const archive = (await readdir(work)).find((file) => file.endsWith('.deb'));
    if (archive === undefined) throw new Error(`apt-get download ${name} left no package`);
    const unpacked = join(work, name);
    await run('dpkg-deb', ['-x', archive, unpacked]);
    const { version } = await kernelIn(unpacked);
    await run('busybox', ['depmod', '-b', unpacked, version]);
    await rename(unpacked, join(cache, name)); // whole or not at all: a killed download leaves only its work folder
    return name;
  } catch (cause) {
    throw new FaultError(
      'KERNEL_UNAVAILABLE',
      `Debian's kernel could not be had: ${messageOf(cause).split('\n')[0]}`,
      {
        cause,
      },
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function kernelIn(root: string): Promise<Kernel> {
  const [version] = await readdir(join(root, 'lib/modules'));
  if (version === undefined) throw new Error(`${root} holds no kernel modules`);
  return { version, image: join(root, 'boot', `vmlinuz-${version}`), root };
}

/**
 * Files of these modules and of all that they need, in the order of loading. What the kernel has built in is left out.
 */
export async function moduleFiles(kernel: Kernel, names: readonly string[]): Promise<readonly string[]> {
  const home = join(kernel.root, 'lib/modules', kernel.version);
  const needs = new Map<string, readonly string[]>();
  const index = await readFile(join(home, 'modules.dep'), 'utf8');
  for (const line of index.split('\n')) {
    const [path, rest = ''] = line.split(':');
    if (path !== undefined && path !== '') needs.set(path, rest.trim().split(' ').filter(Boolean));
  }
  const files = new Set<string>();
  const add = (path: string) => {
    for (const needed of needs.get(path) ?? []) add(needed);
    files.add(join(home, path));
  };
  for (const path of names.flatMap(
    (name) => [...needs.keys()].find((key) => basename(key) === `${name}.ko`) ?? [],
  ))
    add(path);
  return [...files];
}
