import { FaultError } from '../../kit/errors.ts';
import { NodeClient } from '../../node/client.ts';
import { DEPLOYED_PATHS, type DeployTarget } from '../fleet/deployed-host.ts';
import type { Host } from '../fleet/host.ts';
import { httpOverHost } from '../fleet/http-over-host.ts';
import { type HostLook, type LookDepth, lookAtHost } from './host-look.ts';
import { type NodeView, viewNode } from './node-view.ts';

const LOOK_BUDGET_MS = 60_000; // digests of 130 MB, twice, on a small machine that is busy
const TOKEN_BUDGET_MS = 10_000;
const SHORTEST_TOKEN = 32; // characters

/** A host that is deployed to, and the node on it, both reached over the one connection to the host. */
export class Site implements AsyncDisposable {
  readonly target: DeployTarget;
  readonly host: Host;
  #client: NodeClient | undefined;

  constructor(target: DeployTarget, host: Host) {
    this.target = target;
    this.host = host;
  }

  get name(): string {
    return this.target.name;
  }

  look(depth: LookDepth, signal: AbortSignal): Promise<HostLook> {
    return lookAtHost(this.host, this.target, depth, { budgetMs: LOOK_BUDGET_MS, signal });
  }

  /** What the node says; silent rather than an error. */
  async view(signal: AbortSignal): Promise<NodeView> {
    const view = await viewNode(() => this.client(signal), signal);
    if ('silent' in view) await this.forget(); // its token may be another one next time
    return view;
  }

  /**
   * The client of the node's API.
   * @throws FaultError `NODE_TOKEN_UNREADABLE`, and what `Host.exec` throws
   */
  async client(signal: AbortSignal): Promise<NodeClient> {
    if (this.#client !== undefined) return this.#client;
    const argv = ['cat', DEPLOYED_PATHS.apiToken];
    const { code, stdout } = await this.host.exec(argv, { budgetMs: TOKEN_BUDGET_MS, signal, as: 'root' });
    const token = stdout.trim();
    if (code !== 0 || token.length < SHORTEST_TOKEN) {
      throw new FaultError(
        'NODE_TOKEN_UNREADABLE',
        `${this.name}: ${DEPLOYED_PATHS.apiToken} holds no token`,
        {
          details: { host: this.name },
        },
      );
    }
    const tunnel = httpOverHost(this.host, this.target.apiPort);
    const baseUrl = `http://127.0.0.1:${this.target.apiPort}`;
    this.#client = new NodeClient({ baseUrl, token, tunnel });
    return this.#client;
  }

  async forget(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.forget();
    await this.host.close();
  }
}
