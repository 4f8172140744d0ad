import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { sha256Hex } from '../../kit/hash.ts';
import { CHOOSE_DIGEST } from './digest-command.ts';
import type { ExecResult } from './host.ts';
import { HostError } from './host-error.ts';

const CORRUPTED = 86;

/**
 * Writes standard input to a new file beside the path, and puts it in its place only when its digest is the expected
 * one and it is on the disk. Takes the path, the mode and the digest; leaves nothing behind when it fails.
 */
const RECEIVE = `set -eu
umask 077
${CHOOSE_DIGEST}
new=$(mktemp "$1.XXXXXXXX")
trap 'rm -f -- "$new"' EXIT
trap 'exit 129' HUP INT TERM PIPE
cat >"$new"
got=$($digest <"$new")
[ "\${got%% *}" = "$3" ] || { echo "\${got%% *}"; exit ${CORRUPTED}; }
chmod "$2" "$new"
sync "$new" 2>/dev/null || sync
mv -f -- "$new" "$1"`;

/** Runs a command with a stream of bytes on its standard input. */
export type RunFed = (argv: readonly string[], stdin: Readable | Uint8Array) => Promise<ExecResult>;

/**
 * Sends a file through `run` to `path`, whole or not at all.
 * @throws HostError `HOST_UPLOAD`; `details.stderr` is what the host said, `details.reason` what it was about
 */
export async function upload(
  host: string,
  path: string,
  content: Uint8Array | { readonly file: string },
  mode: number,
  run: RunFed,
): Promise<void> {
  if (content instanceof Uint8Array)
    return await send(host, path, mode, sha256Hex(content), (argv) => run(argv, content));
  // Opened once: what is sent is the very file whose digest was taken, and it is closed whatever becomes of the sending.
  await using file = await open(content.file);
  const read = () => file.createReadStream({ start: 0, autoClose: false });
  const hash = createHash('sha256');
  await pipeline(read(), hash);
  await send(host, path, mode, hash.digest('hex'), (argv) => run(argv, read()));
}

async function send(
  host: string,
  path: string,
  mode: number,
  sha256: string,
  run: (argv: readonly string[]) => Promise<ExecResult>,
): Promise<void> {
  const argv = ['sh', '-c', RECEIVE, 'sh', path, mode.toString(8), sha256];
  const { code, stdout, stderr } = await run(argv);
  if (code === 0) return;
  const said = stderr.trim();
  const why =
    code === CORRUPTED
      ? `arrived with SHA-256 ${stdout.trim()} in place of ${sha256}`
      : `could not be written: ${said === '' ? `exit code ${code}` : said}`;
  throw new HostError('HOST_UPLOAD', host, `${path} ${why}`, {
    details: { path, code, stderr: said, reason: reasonOf(code, said) },
  });
}

function reasonOf(code: number, stderr: string): string {
  if (code === CORRUPTED) return 'corrupted';
  if (/no space left|disk quota exceeded/i.test(stderr)) return 'no_space';
  if (/read-only file system/i.test(stderr)) return 'read_only';
  if (/permission denied/i.test(stderr)) return 'permission';
  if (/no such file or directory/i.test(stderr)) return 'no_directory';
  return 'other';
}
