import { DEPLOYED_PATHS } from '../fleet/deployed-host.ts';
import { CHOOSE_DIGEST } from '../fleet/digest-command.ts';
import type { Host } from '../fleet/host.ts';
import type { Artifact } from './artifact.ts';
import { MANIFEST_FILE } from './artifact-manifest.ts';
import type { PackedParts } from './packed-parts.ts';
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
${CHOOSE_DIGEST}
while read -r sum path; do
  for from in "$staging" "$target" "${versions}/$2"; do
    [ -f "$from/$path" ] || continue
    if [ "$from" != "$staging" ]; then mkdir -p "$staging/$(dirname "$path")"; ln "$from/$path" "$staging/$path"; fi
    got=$($digest < "$staging/$path")
    if [ "\${got%% *}" = "$sum" ]; then continue 2; fi
    rm "$staging/$path"
  done
  echo "$path is not what it should be" >&2; exit ${DIGEST_MISMATCH}
done < "$list"
find "$staging" -type d -exec chmod 0755 {} +
# Another version may share the file and run it: at no moment may it be one that cannot be started.
chmod 0755 "$staging/bin/node"
find "$staging" -type f ! -path "$staging/bin/node" -exec chmod 0644 {} +
chown -R 0:0 "$staging"
sync -f "$staging" 2>/dev/null || sync
if [ -e "$target" ]; then rm -rf "$target.old"; mv -T "$target" "$target.old"; fi
mv -T "$staging" "$target"
rm -rf "$target.old" "$list"
`,
};

/**
 * Brings the version of the artifact of `parts` onto the host: sends the files `upload`, takes the rest from what is there,
 * and puts it in place only when every file has its digest on the far side. May be done again after any interruption.
 * @throws what `runScript` and `Host.writeFile` throw
 */
export async function installVersion(
  host: Host,
  parts: PackedParts,
  { upload, reuseFrom }: { readonly upload: readonly string[]; readonly reuseFrom: string | null },
  signal: AbortSignal,
): Promise<void> {
  const { digest } = parts.artifact;
  await runScript(host, MAKE_ROOM, [], { budgetMs: SCRIPT_BUDGET_MS, signal });
  const put = (name: string, content: Parameters<Host['writeFile']>[1]) =>
    host.writeFile(`${incoming}/${name}`, content, {
      mode: 0o600,
      as: 'root',
      budgetMs: UPLOAD_BUDGET_MS,
      signal,
    });
  await put(`${digest}.sha256`, Buffer.from(checkList(parts.artifact)));
  if (upload.length > 0) await put(`${digest}.tar.gz`, { file: await parts.fileOf(upload) });
  const source = upload.length > 0 ? 'packed' : 'nothing';
  await runScript(host, UNPACK, [digest, reuseFrom ?? '-', source], { budgetMs: SCRIPT_BUDGET_MS, signal });
}

/** Digest and path of every file of the artifact and of the manifest itself, a line each. */
function checkList({ manifest, digest }: Artifact): string {
  const lines = manifest.files.map(({ path, sha256 }) => `${sha256}  ${path}`);
  return `${[`${digest}  ${MANIFEST_FILE}`, ...lines].join('\n')}\n`;
}
