import { randomUUID } from 'node:crypto';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { loadToken } from '../kit/bearer-token.ts';
import type { Clock } from '../kit/clock.ts';
import { codeOf, FaultError } from '../kit/errors.ts';
import type { Signing } from '../kit/signing.ts';
import manifest from '../package.json' with { type: 'json' };
import type { Action } from './action.ts';
import { discover, noopAck } from './actions/identify.ts';
import { publish } from './actions/publish.ts';
import { sendDm } from './actions/send-dm.ts';
import { subscribeCollect } from './actions/subscribe-collect.ts';
import { CommandDesk } from './command-desk.ts';
import { CommandLog } from './command-log.ts';
import type { RunnerConfig } from './config.ts';
import { ControlEndpoint } from './control-endpoint.ts';
import { DmDesk } from './dm-desk.ts';
import type { OpenNode } from './node-api.ts';
import { NodeLink } from './node-link.ts';
import { Reporter } from './reporter.ts';
import { ResultCourier } from './result-courier.ts';
import { ResultStore } from './result-store.ts';
import { TopicDesk } from './topic-desk.ts';

const ATTACH_BUDGET_MS = 15_000;

interface RunnerModules {
  readonly open: OpenNode;
  readonly signing: Pick<Signing, 'verify'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Errors that reached no handler so far. */
  readonly unhandledErrors: () => number;
}

/** The hands on one host: the composition of everything in this folder. */
export class Runner {
  readonly #config: RunnerConfig;
  readonly #modules: RunnerModules;
  readonly #bootId = randomUUID();
  #stops: (() => Promise<void> | void)[] = [];

  constructor(config: RunnerConfig, modules: RunnerModules) {
    this.#config = config;
    this.#modules = modules;
  }

  /**
   * Attaches to the node, then listens for commands; gives the bound control address.
   * @throws FaultError when the data directory, the node or the control address cannot be used
   */
  async start(signal: AbortSignal): Promise<{ readonly host: string; readonly port: number }> {
    const { node_name: nodeName, data_dir: dataDir, operators } = this.#config;
    const { open, signing, clock, log, unhandledErrors } = this.#modules;
    const startedMs = clock.nowMs();
    prepareDataDir(dataDir);
    const commands = CommandLog.open(join(dataDir, 'commands.log'), clock.wallMs());
    const token = await loadToken(this.#config.control_token_path);

    const link: NodeLink = new NodeLink({
      open,
      clock,
      log,
      onDirect: (message) => dms.receive(message),
      onTopic: (message) => topics.deliver(message),
      onEventsAttached: (api) => topics.renew(api),
    });
    const api = () => link.api;
    const topics = new TopicDesk(api);
    const store = new ResultStore();
    const courier = new ResultCourier({ api, clock, log, onDelivered: (seq) => store.markDelivered(seq) });
    const reporter = new Reporter(
      { nodeName, bootId: this.#bootId },
      { store, clock, identity: () => link.identity, post: (anchor, result) => courier.post(anchor, result) },
    );
    const actions = new Map<string, Action>([
      ['discover', discover({ link, clock, startedMs, version: manifest.version, unhandledErrors })],
      ['noop_ack', noopAck],
      ['send_dm', sendDm({ api, clock })],
      ['publish', publish({ api, clock })],
      ...Object.entries(
        subscribeCollect({
          topics,
          clock,
          eventsAttached: () => link.streams.events,
          holdEvents: (ms) => link.holdEvents(ms),
        }),
      ),
    ]);
    const desk = new CommandDesk(nodeName, { operators, signing, commands, actions, reporter, clock, log });
    const dms = new DmDesk({ desk, reporter });
    const endpoint = new ControlEndpoint(
      { token, bootId: this.#bootId },
      {
        desk,
        store,
        clock,
        health: () => ({
          node: nodeName,
          boot_id: this.#bootId,
          version: manifest.version,
          uptime_secs: (clock.nowMs() - startedMs) / 1_000,
          ...link.identity,
          unhandled_errors_total: unhandledErrors(),
          streams: link.streams,
          commands: desk.stats(),
          direct: dms.stats(),
          results: { last_seq: store.lastSeq, kept: store.size, dropped_total: store.droppedUnread },
          posted: courier.stats(),
        }),
      },
    );
    this.#stops = [() => endpoint.stop(), () => desk.stop(), () => courier.stop(), () => link.stop()];

    await link.start(ATTACH_BUDGET_MS, signal);
    const address = await endpoint.start(this.#config.control_address);
    reporter.report({
      kind: 'runner_ready',
      commandId: null,
      requestId: null,
      outcome: 'ok',
      details: { runner_version: manifest.version },
      replyTo: null,
    });
    return address;
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) await stop();
  }
}

function prepareDataDir(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new FaultError('DATA_DIR_UNUSABLE', `cannot write into data_dir ${path}: ${codeOf(cause)}`, {
      details: { path },
      cause,
    });
  }
}
