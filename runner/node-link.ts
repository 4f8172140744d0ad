import type { Logger } from 'pino';
import type { Clock } from '../kit/clock.ts';
import { until } from '../kit/deadline.ts';
import { codeOf, FaultError, messageOf } from '../kit/errors.ts';
import type { DirectMessageEvent, TopicMessage } from '../node/api/schema/messages.ts';
import type { NodeApi, NodeIdentity, OpenNode } from './node-api.ts';

const CALL_BUDGET_MS = 5_000; // agent, subscribe: answered from memory by the node
const BACK_OFF_MS = { first: 200, last: 2_000 } as const;

type StreamName = 'direct' | 'events';

interface LinkModules {
  readonly open: OpenNode;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onDirect: (message: DirectMessageEvent) => void | Promise<void>;
  readonly onTopic: (message: TopicMessage) => void;
  /** The event stream stands again: subscriptions of an earlier attachment may be gone. */
  readonly onEventsAttached: (api: NodeApi) => Promise<void>;
}

/**
 * Holds on to the node: both event streams, the identity and a client with the current token, through restarts of the
 * node. Each stream is attached again after 0.2 to 2 s, with a fresh client.
 */
export class NodeLink {
  readonly #modules: LinkModules;
  readonly #stopping = new AbortController();
  readonly #attached: Record<StreamName, boolean> = { direct: false, events: false };
  readonly #attachedTimes: Record<StreamName, number> = { direct: 0, events: 0 };
  #api: NodeApi | undefined;
  #identity: NodeIdentity | undefined;
  #loops: readonly Promise<void>[] = [];
  #held: Promise<void> | undefined;

  constructor(modules: LinkModules) {
    this.#modules = modules;
  }

  /** The current client. @throws FaultError `NODE_NOT_ATTACHED` before the first attachment */
  get api(): NodeApi {
    if (!this.#api) throw new FaultError('NODE_NOT_ATTACHED', 'the node has not answered yet');
    return this.#api;
  }

  /** Who the node says it is. @throws FaultError `NODE_NOT_ATTACHED` before the first attachment */
  get identity(): NodeIdentity {
    if (!this.#identity) throw new FaultError('NODE_NOT_ATTACHED', 'the node has not answered yet');
    return this.#identity;
  }

  get streams(): Readonly<Record<StreamName, boolean>> {
    return { ...this.#attached };
  }

  /** Times that the stream was attached, the first included. */
  attachedTimes(stream: StreamName): number {
    return this.#attachedTimes[stream];
  }

  /**
   * Attaches both streams and keeps them attached until `stop`.
   * @throws FaultError `NODE_NOT_ATTACHED` when that has not worked within `budgetMs`; the last failure is its cause
   */
  async start(budgetMs: number, signal: AbortSignal): Promise<void> {
    let last: unknown;
    const failed = (error: unknown) => {
      last = error;
    };
    this.#loops = [
      this.#keep('direct', failed, (api, attached) => this.#readDirect(api, attached)),
      this.#keep('events', failed, (api, attached) => this.#readTopics(api, attached)),
    ];
    try {
      const bothAttached = () => (this.#attached.direct && this.#attached.events ? true : undefined);
      await until('both event streams attached', bothAttached, { budgetMs, everyMs: 10, signal });
    } catch (error) {
      signal.throwIfAborted();
      const why = last === undefined ? '' : `: ${messageOf(last)}`;
      throw new FaultError(
        'NODE_NOT_ATTACHED',
        `the node did not take this runner within ${budgetMs} ms${why}`,
        {
          cause: last ?? error,
        },
      );
    }
  }

  /** Reads nothing from the topic stream for `ms`: what the node sends meanwhile waits there. */
  holdEvents(ms: number): void {
    this.#held = this.#modules.clock.sleep(ms, this.#stopping.signal).catch(() => {}); // stopping ends the stream too
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new FaultError('RUNNER_STOPPING', 'the runner is stopping'));
    await Promise.allSettled(this.#loops);
    await this.#api?.close();
  }

  async #keep(
    stream: StreamName,
    failed: (error: unknown) => void,
    read: (api: NodeApi, attached: () => void) => Promise<void>,
  ): Promise<void> {
    const { signal } = this.#stopping;
    let backOffMs: number = BACK_OFF_MS.first;
    const attached = () => {
      backOffMs = BACK_OFF_MS.first;
      this.#attached[stream] = true;
      this.#attachedTimes[stream] += 1;
    };
    while (!signal.aborted) {
      try {
        await read(await this.#refresh(signal), attached);
        this.#modules.log.warn({ stream }, 'event stream ended');
      } catch (error) {
        if (signal.aborted) return;
        failed(error);
        this.#modules.log.warn({ stream, code: codeOf(error), why: messageOf(error) }, 'event stream broke');
      } finally {
        this.#attached[stream] = false;
      }
      await this.#modules.clock.sleep(backOffMs, signal).catch(() => {}); // an abort ends the loop above
      backOffMs = Math.min(backOffMs * 2, BACK_OFF_MS.last);
    }
  }

  /** A client with the token as it is now, once the node has told who it is. */
  async #refresh(signal: AbortSignal): Promise<NodeApi> {
    const api = await this.#modules.open();
    const { agent_id, machine_id } = await api.agent({ signal, timeoutMs: CALL_BUDGET_MS });
    this.#identity = { agent_id, machine_id };
    this.#api = api;
    return api;
  }

  async #readDirect(api: NodeApi, attached: () => void): Promise<void> {
    const { signal } = this.#stopping;
    const stream = await api.directEvents({ signal, timeoutMs: CALL_BUDGET_MS });
    attached();
    for await (const { data } of stream) await this.#modules.onDirect(data);
  }

  async #readTopics(api: NodeApi, attached: () => void): Promise<void> {
    const broken = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, broken.signal]);
    const stream = await api.events({ signal, timeoutMs: CALL_BUDGET_MS });
    // Only once the stream stands is it certain that no message falls between it and a subscription.
    let ended = false;
    this.#modules.onEventsAttached(api).then(
      () => {
        if (!ended) attached(); // a stream that ended meanwhile is not attached any more
      },
      (error: unknown) => broken.abort(error),
    );
    try {
      for await (const event of stream) {
        if (event.event === 'message') this.#modules.onTopic(event.data.data);
        await this.#held;
      }
    } finally {
      ended = true;
    }
    broken.signal.throwIfAborted();
  }
}
