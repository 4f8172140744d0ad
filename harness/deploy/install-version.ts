import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from '../fleet/host.ts';
import { type Artifact, packPart } from './artifact.ts';
import { MANIFEST_FILE } from './artifact-manifest.ts';
import { DEPLOYED_PATHS } from './deployed-host.ts';
import { DIGEST_MISMATCH, type RemoteScript, runScript } from './remote-script.ts';

const { home, versions, releases, incoming } = DEPLOYED_PATHS;
const SCRIPT_BUDGET_MS = 120_000; // unpacking 130 MB on a small virtual machine
const UPLOAD_BUDGET_MS = 600_000; // 50 MB at 1 Mbit/s

const MAKE_ROOM: RemoteScript = {
  does: 'make its directories',
  text: `install -d -m 0755 ${home} ${versions} ${releases}\ninstall -d -m 0700 ${incoming}\n`,
};

/** Arguments: digest of the version, a version to take unchanged files from or `-`, `packed` or `nothing`. */
const UNPACK: RemoteScript = {
  does: 'install the artifact',
  text: `
target=${versions}/$1 staging=${versions}/.$1.installing packed=${incoming}/$1.tar.gz list=${incoming}/$1.sha256
trap 'rm -rf "$staging" "$packed"' EXIT
rm -rf "$staging"; mkdir "$staging"
if [ "$3" = packed ]; then tar -xzf "$packed" -C "$staging" --no-same-owner || exit ${DIGEST_MISMATCH}; rm "$packed"; fi
for from in "$target" "${versions}/$2"; do
  while read -r sum path; do
    if [ ! -e "$staging/$path" ] && [ -f "$from/$path" ]; then
      mkdir -p "$staging/$(dirname "$path")"
      ln "$from/$path" "$staging/$path"
      (cd "$staging" && echo "$sum  $path" | sha256sum --check --status) || rm "$staging/$path"
    fi
  done < "$list"
done
(cd "$staging" && sha256sum --check --quiet --strict "$list") || exit ${DIGEST_MISMATCH}
find "$staging" -type d -exec chmod 0755 {} +
find "$staging" -type f -exec chmod 0644 {} +
chmod 0755 "$staging/bin/node"
chown -R 0:0 "$staging"
sync -f "$staging" 2>/dev/null || sync
if [ -e "$target" ]; then rm -rf "$target.old"; mv -T "$target" "$target.old"; fi
mv -T "$staging" "$target"
rm -rf "$target.old" "$list"
`,
};

/**
 * Brings the version of `artifact` onto the host: sends the files `upload`, takes the rest from what is there, and puts it in
 * place only when every file has its digest on the far side. May be done again after any interruption.
 * @throws what `runScript` and `Host.writeFile` throw
 */
export async function installVersion(
  host: Host,
  artifact: Artifact,
  { upload, reuseFrom }: { readonly upload: readonly string[]; readonly reuseFrom: string | null },
  signal: AbortSignal,
): Promise<void> {
  const { digest } = artifact;
  await runScript(host, MAKE_ROOM, [], { budgetMs: SCRIPT_BUDGET_MS, signal });
  const put = (name: string, content: Parameters<Host['writeFile']>[1]) =>
    host.writeFile(`${incoming}/${name}`, content, {
      mode: 0o600,
      as: 'root',
      budgetMs: UPLOAD_BUDGET_MS,
      signal,
    });
  await put(`${digest}.sha256`, Buffer.from(checkList(artifact)));
  if (upload.length > 0) {
    await withPacked(artifact, new Set(upload), (file) => put(`${digest}.tar.gz`, { file }));
  }
  const source = upload.length > 0 ? 'packed' : 'nothing';
  await runScript(host, UNPACK, [digest, reuseFrom ?? '-', source], { budgetMs: SCRIPT_BUDGET_MS, signal });
}

/** What `sha256sum --check` reads: every file of the artifact and the manifest itself. */
function checkList({ manifest, digest }: Artifact): string {
  const lines = manifest.files.map(({ path, sha256 }) => `${sha256}  ${path}`);
  return `${[`${digest}  ${MANIFEST_FILE}`, ...lines].join('\n')}\n`;
}

/** The archive as it is when all of it is wanted, else one of the wanted files alone. */
async function withPacked(
  artifact: Artifact,
  paths: ReadonlySet<string>,
  use: (file: string) => Promise<void>,
): Promise<void> {
  if (artifact.manifest.files.every(({ path }) => paths.has(path))) return await use(artifact.archive);
  const home = await mkdtemp(join(tmpdir(), 'meshproof-upload-'));
  try {
    const file = join(home, 'part.tar.gz');
    await packPart(artifact, paths, file);
    await use(file);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
