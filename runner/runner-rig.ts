import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { loadToken } from '../kit/bearer-token.ts';
import { realClock } from '../kit/clock.ts';
import type { Signing } from '../kit/signing.ts';
import type { Operators } from './command-envelope.ts';
import { FakeMesh, type FakeNode } from './fake-node.ts';
import { Runner } from './runner.ts';

export interface RiggedRunner {
  readonly name: string;
  readonly node: FakeNode;
  baseUrl: string;
  token: string;
  /** What the runner takes for its count of errors that reached no handler. */
  unhandledErrors: number;
  /** Ends this runner and starts another on the same data directory and, if it can, the same port. */
  restart(): Promise<void>;
}

/** Real runners with their real control endpoints, each beside a node of a mesh in memory. For tests. */
export class RunnerRig {
  readonly mesh = new FakeMesh();
  readonly runners = new Map<string, RiggedRunner>();
  readonly #operators: Operators;
  readonly #signing: Pick<Signing, 'verify'>;
  readonly #running = new Map<string, Runner>();
  readonly #home: string;

  private constructor(home: string, operators: Operators, signing: Pick<Signing, 'verify'>) {
    this.#home = home;
    this.#operators = operators;
    this.#signing = signing;
  }

  static async start(
    names: readonly string[],
    { operators, signing }: { readonly operators: Operators; readonly signing: Pick<Signing, 'verify'> },
  ): Promise<RunnerRig> {
    const rig = new RunnerRig(await mkdtemp(join(tmpdir(), 'meshproof-rig-')), operators, signing);
    for (const name of names) {
      const node = rig.mesh.add(name);
      const rigged: RiggedRunner = {
        name,
        node,
        baseUrl: '',
        token: '',
        unhandledErrors: 0,
        restart: async () => {
          await rig.#running.get(name)?.stop();
          await rig.#run(rigged);
        },
      };
      rig.runners.set(name, rigged);
      await rig.#run(rigged);
    }
    return rig;
  }

  runner(name: string): RiggedRunner {
    const rigged = this.runners.get(name);
    if (!rigged) throw new Error(`no runner ${name}`);
    return rigged;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running.values()].map((runner) => runner.stop()));
    await rm(this.#home, { recursive: true });
  }

  async #run(rigged: RiggedRunner): Promise<void> {
    const data_dir = join(this.#home, rigged.name);
    const control_token_path = join(this.#home, `${rigged.name}-token`);
    const port = rigged.baseUrl === '' ? 0 : Number(new URL(rigged.baseUrl).port);
    const runner = new Runner(
      {
        node_name: rigged.name,
        api_base: 'http://unused',
        api_token_path: '/unused',
        control_address: { host: '127.0.0.1', port },
        control_token_path,
        operators: this.#operators,
        data_dir,
        log_level: 'silent',
      },
      {
        open: async () => rigged.node,
        signing: this.#signing,
        clock: realClock,
        log: pino({ level: 'silent' }),
        unhandledErrors: () => rigged.unhandledErrors,
      },
    );
    this.#running.set(rigged.name, runner);
    const address = await runner.start(AbortSignal.timeout(30_000));
    rigged.baseUrl = `http://127.0.0.1:${address.port}`;
    rigged.token = await loadToken(control_token_path);
  }
}
