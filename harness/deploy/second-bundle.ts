import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { BUNDLE_FILES, digestOfStored } from '../../kit/bundle-digest.ts';
import { FaultError, UsageError } from '../../kit/errors.ts';
import type { NodeBundle } from './bundle.ts';

const NODE_PROGRAM = BUNDLE_FILES[0];
const NATIVE_PACKAGE = '@matrixai/quic';
/** As a bundler writes the version of our manifest into the node's program. */
const VERSION_IN_PROGRAM = /(name:"meshproof",version:")([^"]+)(")/g;
/** Marks the version of what a run made for its upgrade. */
export const OTHER_VERSION = '+other';

/** The programs that nodes run now: their digest, and a way to a directory that holds them. */
interface RunningPrograms {
  readonly sha256: string;
  directory(): Promise<string> | string;
}

/** Where the second bundle goes, and the directory that it is taken from; without it, it is made of the first. */
interface SecondPlace {
  readonly home: string;
  readonly from: string | undefined;
}

/**
 * Makes a second bundle in `home` for nodes on this machine, as `makeOtherPrograms` does, able to run where it lies.
 * @throws what `makeOtherPrograms` throws
 */
export async function makeSecondBundle(bundle: NodeBundle, place: SecondPlace): Promise<NodeBundle> {
  const { home } = place;
  const running = { sha256: bundle.sha256, directory: () => dirname(bundle.nodeEntry) };
  const sha256 = await makeOtherPrograms(running, place);
  await symlink(nativePackages(bundle), join(home, 'node_modules'));
  return { nodeEntry: join(home, NODE_PROGRAM), runnerEntry: join(home, BUNDLE_FILES[1]), sha256 };
}

/**
 * Puts other programs into `home`, for nodes that are upgraded: those that lie in `from`, or the running ones under another
 * version, which makes them another bundle. Gives their digest.
 * @throws UsageError `BAD_FLAG` when there is no whole bundle in `from`
 * @throws FaultError `UPGRADE_UNAVAILABLE` when no second bundle can be made of the first
 */
export async function makeOtherPrograms(
  running: RunningPrograms,
  { home, from }: SecondPlace,
): Promise<string> {
  await checkUpgradeBundle(from);
  const source = from === undefined ? await running.directory() : resolve(from);
  await mkdir(home, { recursive: true });
  for (const name of BUNDLE_FILES) await copyFile(join(source, name), join(home, name));
  if (from === undefined) await renameVersion(join(home, NODE_PROGRAM));
  const sha256 = await digestOfStored(home);
  if (sha256 === undefined || sha256 === running.sha256) {
    throw new FaultError('UPGRADE_UNAVAILABLE', `${source} holds the bundle that the nodes run already`);
  }
  return sha256;
}

/** @throws UsageError `BAD_FLAG` when there is no whole bundle in `from` */
export async function checkUpgradeBundle(from: string | undefined): Promise<void> {
  if (from === undefined || (await digestOfStored(resolve(from))) !== undefined) return;
  throw new UsageError(
    'BAD_FLAG',
    `--upgrade-bundle: "${from}" is not a directory that holds ${BUNDLE_FILES.join(', ')}`,
    { details: { flag: '--upgrade-bundle', value: from } },
  );
}

async function renameVersion(program: string): Promise<void> {
  const text = await readFile(program, 'utf8');
  const renamed = text.replaceAll(VERSION_IN_PROGRAM, `$1$2${OTHER_VERSION}$3`);
  if (renamed === text) {
    throw new FaultError(
      'UPGRADE_UNAVAILABLE',
      `${program} names no version; give another bundle with --upgrade-bundle`,
    );
  }
  await writeFile(program, renamed);
}

/** Where programs beside `bundle` find the native package, which no bundle holds. */
function nativePackages({ nodeEntry }: NodeBundle): string {
  const entry = createRequire(nodeEntry).resolve(`${NATIVE_PACKAGE}/package.json`);
  return join(dirname(entry), '../..');
}
