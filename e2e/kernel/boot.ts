import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { FaultError } from '../../kit/errors.ts';
import { type Kernel, moduleFiles } from './debian-kernel.ts';

/** What must be loaded before the shared root can be mounted. */
const ROOT_MODULES = ['virtio_pci', '9pnet_virtio', '9p'];
const MEMORY = '1024M';
const END_MARK = 'meshproof-vm-ended';

export interface VmResult {
  readonly code: number;
  readonly output: string;
}

/**
 * Boots `kernel` in a virtual machine without any network, this machine's files being its read-only root, runs `argv`
 * there as root, and gives its code and output. `/run` is its own, temporary files too; `modules` are loaded before.
 * @throws FaultError `VM_NOT_ENDED` when it did not come to an end within `budgetMs`; the last of its console is in it
 */
export async function runInVm(
  kernel: Kernel,
  {
    argv,
    modules,
    budgetMs,
  }: { readonly argv: readonly string[]; readonly modules: readonly string[]; readonly budgetMs: number },
): Promise<VmResult> {
  const work = await mkdtemp(join(tmpdir(), 'meshproof-vm-'));
  try {
    const files = await moduleFiles(kernel, [...ROOT_MODULES, ...modules]);
    const initramfs = await makeInitramfs(work, files, initScript(files, argv));
    const { stdout, exitCode, timedOut } = await execa(
      'qemu-system-x86_64',
      [
        ...[
          '-accel',
          'tcg',
          '-m',
          MEMORY,
          '-display',
          'none',
          '-serial',
          'stdio',
          '-monitor',
          'none',
          '-no-reboot',
          '-nic',
          'none',
        ],
        ...['-kernel', kernel.image, '-initrd', initramfs],
        ...['-append', 'console=ttyS0 quiet panic=-1 loglevel=3'],
        ...['-virtfs', 'local,path=/,mount_tag=host,security_model=none,multidevs=remap,readonly=on'],
      ],
      { timeout: budgetMs, reject: false, stdin: 'ignore', stderr: 'inherit' },
    );
    const output = stdout.replaceAll('\r\n', '\n');
    const code = new RegExp(`^${END_MARK} (\\d+)$`, 'm').exec(output)?.[1];
    if (code !== undefined) return { code: Number(code), output: output.slice(0, output.indexOf(END_MARK)) };
    const how = timedOut
      ? `did not end within ${budgetMs} ms`
      : `ended without a word (qemu code ${exitCode})`;
    throw new FaultError('VM_NOT_ENDED', `the virtual machine ${how}; its console: ${output.slice(-2_000)}`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function makeInitramfs(work: string, modules: readonly string[], init: string): Promise<string> {
  const root = join(work, 'root');
  for (const dir of ['bin', 'modules', 'newroot']) await mkdir(join(root, dir), { recursive: true });
  await copyFile('/bin/busybox', join(root, 'bin/busybox'));
  for (const file of modules) await copyFile(file, join(root, 'modules', basename(file)));
  await writeFile(join(root, 'init'), init);
  await chmod(join(root, 'init'), 0o755);
  const archive = join(work, 'initramfs');
  const files = [
    '.',
    'bin',
    'bin/busybox',
    'newroot',
    'init',
    'modules',
    ...modules.map((file) => `modules/${basename(file)}`),
  ];
  await execa('busybox', ['cpio', '-o', '-H', 'newc', '-F', archive], {
    cwd: root,
    input: `${files.join('\n')}\n`,
  });
  return archive;
}

/** Everything is loaded from the initramfs; the shared root is read-only, `/run` is the machine's own. */
function initScript(modules: readonly string[], argv: readonly string[]): string {
  const command = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  return [
    '#!/bin/busybox sh',
    'B=/bin/busybox',
    '$B mkdir -p /proc /sys /dev',
    '$B mount -t proc proc /proc',
    '$B mount -t devtmpfs dev /dev',
    ...modules.map((file) => `$B insmod /modules/${basename(file)}`),
    '$B mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,ro,cache=loose host /newroot',
    '$B mount -t proc proc /newroot/proc',
    '$B mount -t sysfs sys /newroot/sys',
    '$B mount -t devtmpfs dev /newroot/dev',
    '$B mount -t tmpfs run /newroot/run',
    '$B mkdir /newroot/run/tmp', // not over `/tmp`: the checkout may lie there
    'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/tmp TMPDIR=/run/tmp',
    '$B ip link set lo up',
    `$B chroot /newroot ${command}`,
    `code=$?; echo; echo ${END_MARK} $code`,
    '$B poweroff -f',
    '',
  ].join('\n');
}
