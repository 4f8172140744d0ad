import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { BUNDLE_FILES, bundleDigest } from '../../kit/bundle-digest.ts';
import { sha256Hex } from '../../kit/hash.ts';
import { DEPLOYED_PATHS, DEPLOYED_ROLES, DEPLOYED_UNITS, type DeployedRole } from '../fleet/deployed-host.ts';
import type { ExecOptions, ExecResult, Host, HostSession } from '../fleet/host.ts';
import { HostError } from '../fleet/host-error.ts';
import { MANIFEST_FILE, writeManifest } from './artifact-manifest.ts';
import { LOOK } from './look-script.ts';
import { releaseOf } from './release.ts';
import { UNIT_FILES } from './unit-files.ts';

const run = promisify(execFile);
/** What a directory cannot stand in for. */
const STUBS = ['systemctl', 'systemd-sysusers', 'chown'];
const { home, versions, releases, current, previous, program, units, config, stepLock } = DEPLOYED_PATHS;

/**
 * Test-only: a deployed host whose files lie in a directory of this machine. The scripts of a deployment really run there;
 * systemd and its processes are played.
 */
export class PaperHost implements Host {
  readonly name: string;
  readonly root: string;
  /** What was asked of systemd, as `restart node`. */
  readonly asked: string[] = [];
  way: 'open' | 'lost' = 'open';
  /** Of the sessions that hold it: with their connection it may be lost. */
  lock: 'kept' | 'lost' = 'kept';
  readonly #runs: Record<DeployedRole, string> = { node: '', runner: '' };

  constructor(name: string, root: string) {
    this.name = name;
    this.root = root;
  }

  /** A host as a deployment leaves it; gives the digest of the programs that it runs. */
  static async deployed(name: string, root: string): Promise<{ host: PaperHost; bundleSha256: string }> {
    const host = new PaperHost(name, root);
    const programs = BUNDLE_FILES.map((file) => ({
      name: file,
      contents: Buffer.from(`// ${file}\nconst its={name:"meshproof",version:"1.2.3"};\n`),
    }));
    const parts = [
      { path: 'bin/node', mode: 0o755 as const, content: Buffer.from('a runtime') },
      ...programs.map(({ name: path, contents: content }) => ({ path, mode: 0o644 as const, content })),
      ...Object.entries(UNIT_FILES).map(([file, text]) => ({
        ...{ path: `units/${file}`, mode: 0o644 as const, content: Buffer.from(text) },
      })),
    ];
    const bundleSha256 = bundleDigest(programs);
    const { text, digest } = writeManifest({
      ...{ format: 'meshproof.artifact.v1', version: '1.2.3', platform: 'linux-arm64' },
      ...{ node_version: '24.0.0', bundle_sha256: bundleSha256 },
      files: parts.map(({ content, ...file }) => ({
        ...file,
        size: content.length,
        sha256: sha256Hex(content),
      })),
    });
    const config = { nodeToml: `instance_name = "${name}"\n`, runnerToml: `node_name = "${name}"\n` };
    const { id } = releaseOf({ version: digest, ...config });
    const release = `${releases}/${id}`;
    await host.#put(`${versions}/${digest}/${MANIFEST_FILE}`, text);
    for (const { path, content } of parts) await host.#put(`${versions}/${digest}/${path}`, content);
    await host.#put(`${release}/etc/node.toml`, config.nodeToml);
    await host.#put(`${release}/etc/runner.toml`, config.runnerToml);
    await symlink(`../../versions/${digest}`, host.at(`${release}/program`));
    await symlink(`releases/${id}`, host.at(current));
    for (const path of [units, stepLock, '/bin']) await mkdir(host.at(path), { recursive: true });
    for (const stub of STUBS) {
      await host.#put(`/bin/${stub}`, '#!/bin/sh\nexit 0\n');
      await chmod(host.at(`/bin/${stub}`), 0o755);
    }
    for (const role of DEPLOYED_ROLES) await host.start(role);
    return { host, bundleSha256 };
  }

  /** Where a path of the host lies on this machine. */
  at(path: string): string {
    return join(this.root, path);
  }

  /** As systemd does: whatever the release that is current now says. */
  async start(role: DeployedRole): Promise<void> {
    this.#runs[role] = basename(await readlink(this.at(program)));
  }

  /** Every path below the deployment with where links lead, in order. */
  async tree(): Promise<readonly string[]> {
    const entries = await readdir(this.at(home), { recursive: true, withFileTypes: true });
    const paths = entries.map(async (entry) => {
      const path = join(entry.parentPath, entry.name);
      return path.slice(this.root.length) + (entry.isSymbolicLink() ? ` → ${await readlink(path)}` : '');
    });
    return (await Promise.all(paths)).toSorted();
  }

  async exec(argv: readonly string[], { stdin }: ExecOptions): Promise<ExecResult> {
    if (this.way === 'lost') throw new HostError('HOST_UNREACHABLE', this.name, 'nothing answers');
    if (stdin === LOOK.text) return done(await this.#look());
    if (argv[0] === 'cat') return done(await readFile(this.at(argv[1] ?? ''), 'utf8'));
    if (argv[0] === 'systemctl') {
      const role = DEPLOYED_ROLES.find((one) => DEPLOYED_UNITS[one] === argv[2]);
      this.asked.push(`${argv[1]} ${role}`);
      if (role !== undefined) await this.start(role);
      return done('');
    }
    const [command = '', ...args] = argv.map((arg) => this.#moved(arg));
    const options = { env: { PATH: `${this.at('/bin')}:${process.env.PATH}` } };
    const running = run(command, args, options);
    running.child.stdin?.end(this.#moved(String(stdin)));
    return done((await running).stdout);
  }

  async writeFile(path: string, content: Uint8Array | { readonly file: string }): Promise<void> {
    await this.#put(path, content instanceof Uint8Array ? content : await readFile(content.file));
  }

  async session(): Promise<HostSession> {
    if (this.way === 'lost') throw new HostError('HOST_UNREACHABLE', this.name, 'nothing answers');
    let word = Promise.withResolvers<string | undefined>();
    return {
      send: (line) => word.resolve(this.lock === 'kept' ? line : undefined),
      lines: (async function* () {
        for (let said: string | undefined = 'locked'; said !== undefined; said = await word.promise) {
          word = Promise.withResolvers();
          yield said;
        }
      })(),
      ended: Promise.resolve({ code: 0, stderr: '' }),
      [Symbol.asyncDispose]: async () => {},
    };
  }

  connect(): Promise<never> {
    return Promise.reject(new Error(`${this.name} is of paper`));
  }

  async close(): Promise<void> {}

  #moved(text: string): string {
    const places = [home, config, units, stepLock].map((place) => RegExp.escape(place));
    return text.replaceAll(new RegExp(`(?<![\\w/])(${places.join('|')})`, 'g'), `${this.root}$1`);
  }

  async #put(path: string, content: string | Uint8Array): Promise<void> {
    await mkdir(dirname(this.at(path)), { recursive: true });
    await writeFile(this.at(path), content);
  }

  /** Where a link leads; nothing where there is none. */
  async #target(link: string): Promise<readonly string[]> {
    return await readlink(this.at(link)).then(
      (to) => [to],
      () => [],
    );
  }

  async #look(): Promise<string> {
    const facts = [
      ['machine', 'Linux', 'aarch64'],
      ['boot', 'boot'],
      ['init', 'systemd', 'systemd 252', 'running'],
    ];
    for (const link of [current, previous])
      facts.push(...(await this.#target(link)).map((to) => ['link', link, to]));
    for (const id of await readdir(this.at(releases))) {
      const [to = ''] = await this.#target(`${releases}/${id}/program`);
      facts.push(['release', id, basename(to), '1']);
    }
    for (const version of await readdir(this.at(versions))) facts.push(['version', version]);
    for (const [role, version] of Object.entries(this.#runs))
      facts.push(['executable', role, `${versions}/${version}/bin/node`], ['unit', role, 'MainPID', '7']);
    return [...facts, ['end']].map((fact) => fact.join('\t')).join('\n');
  }
}

const done = (stdout: string): ExecResult => ({ code: 0, stdout, stderr: '' });
