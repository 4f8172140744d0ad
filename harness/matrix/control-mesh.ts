import { type Clock, realClock } from '../../kit/clock.ts';
import { Deadline } from '../../kit/deadline.ts';
import { codeOf, messageOf } from '../../kit/errors.ts';
import type { NodeClient } from '../../node/client.ts';
import { NodeHttpError } from '../../node/client.ts';
import { decodeDm, encodeCommandDm } from '../../runner/dm-frames.ts';
import { resultSchema } from '../../runner/protocol.ts';
import type { ControlChannel, ControlTarget } from './control-channel.ts';
import { type ControlCarrier, DispatchingChannel, type Handover } from './control-dispatch.ts';
import { ControlError } from './control-error.ts';
import { ControlInbox } from './control-inbox.ts';
import type { OperatorKey } from './operator-key.ts';

const NODE_ACK_MS = 8_000;
const CALL_BUDGET_MS = 12_000; // DESIGN "Budgets nest"
const API_SHARE_MS = 500;
const ACK_MIN_MS = 100;
const BACK_OFF_MS = { first: 200, last: 2_000 } as const;

/** What the mesh channel needs of the anchor's node. */
export type AnchorApi = Pick<NodeClient, 'directSend' | 'directEvents'>;

interface DirectEventData {
  readonly sender: string;
  readonly machine_id: string;
  readonly payload: string;
  readonly verified: boolean;
}

/**
 * The control plane over the mesh itself: commands leave the anchor's node as direct messages (to its own runner by
 * loopback) and results come back to it the same way. Resolves when the anchor's stream of direct messages stands.
 * @throws ControlError `COMMAND_DISPATCH_FAILED` when the anchor's node does not open it within `budgetMs`
 */
export async function openMeshControl(
  targets: readonly ControlTarget[],
  modules: {
    readonly anchor: AnchorApi;
    readonly anchorAid: string;
    readonly anchorNode: string;
    readonly operator: OperatorKey;
    readonly clock?: Clock;
  },
  options: { readonly budgetMs: number; readonly signal?: AbortSignal },
): Promise<ControlChannel> {
  const { anchor, anchorAid, anchorNode, operator, clock = realClock } = modules;
  const inbox = new ControlInbox(targets);
  const carrier = new MeshCarrier(targets, { inbox, anchor, anchorAid, anchorNode, clock });
  await carrier.start(options);
  return new DispatchingChannel({ inbox, carrier, operator, clock });
}

class MeshCarrier implements ControlCarrier {
  readonly anchorAid: string;
  readonly #inbox: ControlInbox;
  readonly #anchor: AnchorApi;
  readonly #anchorNode: string;
  readonly #clock: Clock;
  readonly #byAgent: ReadonlyMap<string, ControlTarget>;
  readonly #closing = new AbortController();
  #reader: Promise<void> = Promise.resolve();

  constructor(
    targets: readonly ControlTarget[],
    modules: {
      readonly inbox: ControlInbox;
      readonly anchor: AnchorApi;
      readonly anchorAid: string;
      readonly anchorNode: string;
      readonly clock: Clock;
    },
  ) {
    this.anchorAid = modules.anchorAid;
    this.#inbox = modules.inbox;
    this.#anchor = modules.anchor;
    this.#anchorNode = modules.anchorNode;
    this.#clock = modules.clock;
    this.#byAgent = new Map(targets.map((target) => [target.agentId, target]));
    this.#inbox.tallyOf(this.#anchorNode); // the anchor must be of the plan
  }

  async start({
    budgetMs,
    signal,
  }: {
    readonly budgetMs: number;
    readonly signal?: AbortSignal;
  }): Promise<void> {
    const deadline = Deadline.in(budgetMs, this.#clock);
    let backOffMs: number = BACK_OFF_MS.first;
    for (;;) {
      try {
        const stream = await this.#attach(deadline.remainingMs(), signal);
        this.#reader = this.#readResults(stream);
        return;
      } catch (cause) {
        signal?.throwIfAborted();
        if (deadline.remainingMs() <= backOffMs) {
          const message = `its stream of direct messages does not open: ${messageOf(cause)}`;
          throw new ControlError('COMMAND_DISPATCH_FAILED', this.#anchorNode, message, { cause });
        }
        await this.#clock.sleep(backOffMs, signal);
        backOffMs = Math.min(backOffMs * 2, BACK_OFF_MS.last);
      }
    }
  }

  async handOver(
    node: string,
    envelope: string,
    { budgetMs, signal }: { budgetMs: number; signal: AbortSignal },
  ): Promise<Handover> {
    const { agentId } = this.#inbox.target(node);
    const timeoutMs = Math.min(budgetMs, CALL_BUDGET_MS);
    const ackMs = Math.max(ACK_MIN_MS, Math.min(NODE_ACK_MS, timeoutMs - API_SHARE_MS));
    try {
      await this.#anchor.directSend(
        {
          agent_id: agentId,
          payload: encodeCommandDm(envelope),
          prefer_raw_quic_if_connected: true,
          raw_quic_receive_ack_ms: Math.round(ackMs),
          require_durable_app_ack: false,
        },
        { signal, timeoutMs },
      );
      return { taken: true };
    } catch (cause) {
      const status = cause instanceof NodeHttpError ? cause.status : null;
      const reason = cause instanceof NodeHttpError ? cause.error : codeOf(cause);
      const message = `the anchor ${this.#anchorNode} could not hand over the command: ${messageOf(cause)}`;
      const error = new ControlError('COMMAND_DISPATCH_FAILED', node, message, {
        details: { anchor: this.#anchorNode, status, reason },
        cause,
      });
      // The node knows no such agent, forbids it, or finds the message wrong: asking again changes nothing.
      return { retryable: status === null || status >= 500, error };
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#reader;
  }

  /** `signal` ends only the attempt: once the stream stands, it lives until the channel is closed. */
  async #attach(timeoutMs: number, signal?: AbortSignal) {
    signal?.throwIfAborted();
    const broken = new AbortController();
    const onAbort = () => broken.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const either = AbortSignal.any([this.#closing.signal, broken.signal]);
      return await this.#anchor.directEvents({ signal: either, timeoutMs });
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async #readResults(first: Awaited<ReturnType<AnchorApi['directEvents']>>): Promise<void> {
    const { signal } = this.#closing;
    const tally = this.#inbox.tallyOf(this.#anchorNode);
    let stream: typeof first | undefined = first;
    let backOffMs: number = BACK_OFF_MS.first;
    while (!signal.aborted) {
      try {
        if (!stream) {
          stream = await this.#attach(CALL_BUDGET_MS);
          tally.reconnects += 1;
        }
        backOffMs = BACK_OFF_MS.first;
        for await (const { data } of stream) this.#take(data);
      } catch (error) {
        if (signal.aborted) return;
        if (codeOf(error) === 'NODE_BAD_BODY') tally.malformed += 1;
      }
      stream = undefined;
      await this.#clock.sleep(backOffMs, signal).catch(() => {}); // an abort ends the loop
      backOffMs = Math.min(backOffMs * 2, BACK_OFF_MS.last);
    }
  }

  #take({ sender, machine_id, payload, verified }: DirectEventData): void {
    const frame = decodeDm(Buffer.from(payload, 'base64'));
    if (frame?.form !== 'result') return; // commands to the anchor's own runner, and test traffic
    const parsed = parseResult(frame.text);
    // Whoever the result speaks of, it counts against that runner; of none in particular, against the anchor.
    const claimed = parsed ? [...this.#byAgent.values()].find(({ node }) => node === parsed.node) : undefined;
    const target = claimed ?? this.#byAgent.get(sender);
    if (!parsed || !target) {
      this.#inbox.tallyOf(target?.node ?? this.#anchorNode)[parsed ? 'forged' : 'malformed'] += 1;
      return;
    }
    this.#inbox.take(target, parsed, { agent_id: sender, machine_id, verified });
  }
}

function parseResult(text: string) {
  try {
    return resultSchema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
    throw error;
  }
}
