import type { Logger } from 'pino';
import type { Clock } from '../../kit/clock.ts';
import { Deadline } from '../../kit/deadline.ts';
import type { AckOutcome } from '../api/schema/ack.ts';
import type { AgentId, LinkPath, PeerId, PeerLink, Transport } from '../transport/transport.ts';
import { encodeRequest } from './ack-protocol.ts';
import type { AckStats } from './ack-stats.ts';
import type { LinkWatch } from './link-watch.ts';
import { Liveness } from './liveness.ts';
import { findLink, transmit } from './send-attempt.ts';
import { type SendAction, SendCore, type SendEvent } from './send-core.ts';
import { DirectSendError } from './send-error.ts';
import { failureOf } from './send-failure.ts';
import type { DirectReceipt, DirectSendOptions, ProbeResult } from './send-options.ts';

interface SenderModules {
  readonly transport: Pick<Transport, 'request' | 'closeLink'>;
  readonly watch: LinkWatch;
  readonly agentId: AgentId;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
  readonly ackStats: AckStats;
  readonly ensureLink?: (peerId: PeerId, signal: AbortSignal) => Promise<unknown>;
  readonly pathTo?: ((peerId: PeerId) => LinkPath | undefined) | undefined;
}

type Finish = SendAction & { type: 'finish' };

/** Drives `SendCore` for messages to other agents: does what it asks and reports what came of it. */
export class DirectSender {
  readonly #modules: SenderModules;
  readonly #liveness = new Liveness();

  constructor(modules: SenderModules) {
    this.#modules = modules;
  }

  /** Throws `DirectSendError`, or the reason of `signal`; never takes longer than `options.deadlineMs`. */
  async send(
    agentId: AgentId,
    message: { readonly requestId: string; readonly payload: Uint8Array },
    options: DirectSendOptions,
    signal: AbortSignal,
  ): Promise<DirectReceipt> {
    const { clock, watch, agentId: sender } = this.#modules;
    const peerId = watch.peerOf(agentId);
    if (peerId === undefined) {
      throw new DirectSendError(
        'recipient_key_unavailable',
        `no peer with agent id ${agentId} has been seen`,
        {
          details: { agent_id: agentId },
        },
      );
    }
    const startMs = clock.nowMs();
    const deadline = Deadline.in(options.deadlineMs, clock);
    const core = new SendCore({ budgetMs: options.deadlineMs, ackMs: options.ackMs, nowMs: startMs });
    const body = encodeRequest({ kind: 'message', sender, ...message });
    const { result, deafGeneration } = await this.#run(core, agentId, body, signal);
    const latencyMs = clock.nowMs() - startMs;
    this.#judgeLink({ peerId, agentId }, { result, deafGeneration, waitedMs: latencyMs });
    if (result.kind !== 'accepted') {
      throw failureOf(result, agentId, {
        request_id: message.requestId,
        attempts: core.attempts,
        ack_wait_ms: options.ackMs,
        elapsed_ms: Math.round(latencyMs),
      });
    }
    return {
      path: 'raw_quic_acked',
      attempts: core.attempts,
      retriesUsed: core.attempts - 1,
      requestId: message.requestId,
      tier: 'admitted',
      latencyMs,
      requireAck:
        options.requireAckMs === undefined
          ? null
          : await this.#probe(agentId, message.requestId, deadline.within(options.requireAckMs), signal),
    };
  }

  async #run(core: SendCore, agentId: AgentId, body: Uint8Array, signal: AbortSignal): Promise<Finish> {
    const { clock, watch, ensureLink } = this.#modules;
    let link: PeerLink | undefined;
    let unanswered: { readonly generation: number; readonly sinceMs: number } | undefined;
    let step = core.start(clock.nowMs());
    for (;;) {
      for (const outcome of step.outcomes) this.#record(link, outcome);
      const { action } = step;
      if (action.type === 'finish') return action;
      let event: SendEvent;
      if (action.type === 'find_link') {
        const found = await findLink({ watch, clock }, agentId, { ...action, repair: ensureLink, signal });
        link = found ?? link;
        event = found ? { type: 'linked', generation: found.generation } : { type: 'no_link' };
      } else if (link) {
        if (unanswered?.generation !== link.generation)
          unanswered = { generation: link.generation, sinceMs: clock.nowMs() };
        const bounds = { untilMs: action.untilMs, unansweredSinceMs: unanswered.sinceMs, signal };
        event = await this.#transmit(link, body, bounds);
      } else {
        event = { type: 'link_lost' };
      }
      step = core.on(event, clock.nowMs());
    }
  }

  async #transmit(
    link: PeerLink,
    body: Uint8Array,
    bounds: {
      readonly untilMs: number;
      readonly unansweredSinceMs: number;
      readonly signal: AbortSignal;
    },
  ): Promise<SendEvent> {
    const { ackStats, clock } = this.#modules;
    return await transmit(this.#modules, link, body, {
      ...bounds,
      onStage: (stage, tookMs) => ackStats.stage(link, stage, tookMs, clock.wallMs()),
      onSilence: (silentMs) =>
        this.#closeDeaf(link, `nothing came for ${Math.round(silentMs)} ms after a message`),
    });
  }

  /** Closes `link` if it is still the live one; a retry, and membership, will look for another. */
  #closeDeaf(
    { peerId, agentId, generation }: Pick<PeerLink, 'peerId' | 'agentId' | 'generation'>,
    why: string,
  ): void {
    const { transport, watch, log } = this.#modules;
    if (watch.linkTo(agentId)?.generation !== generation) return;
    log.warn({ peerId, generation, why }, 'a connection that answers nothing any more is closed');
    transport.closeLink(peerId, 'LivenessTimeout', why);
  }

  #record(link: PeerLink | undefined, outcome: AckOutcome): void {
    const { ackStats, clock } = this.#modules;
    if (link) ackStats.outcome(link, outcome, clock.wallMs());
  }

  #judgeLink(
    { peerId, agentId }: Pick<PeerLink, 'peerId' | 'agentId'>,
    {
      result,
      deafGeneration,
      waitedMs,
    }: Pick<Finish, 'result' | 'deafGeneration'> & { readonly waitedMs: number },
  ): void {
    const { clock } = this.#modules;
    if (result.kind === 'accepted' || result.kind === 'rejected') this.#liveness.answered(peerId);
    if (deafGeneration === null) return;
    if (this.#liveness.unanswered(peerId, deafGeneration, waitedMs, clock.nowMs()) === 'keep') return;
    this.#closeDeaf(
      { peerId, agentId, generation: deafGeneration },
      'five messages in a row stayed unanswered',
    );
  }

  async #probe(
    agentId: AgentId,
    requestId: string,
    deadline: Deadline,
    signal: AbortSignal,
  ): Promise<ProbeResult> {
    const { clock, watch, agentId: sender } = this.#modules;
    const link = watch.linkTo(agentId);
    if (link === undefined) return { ok: false, error: 'peer_disconnected' };
    const startMs = clock.nowMs();
    const event = await transmit(this.#modules, link, encodeRequest({ kind: 'probe', requestId, sender }), {
      untilMs: deadline.atMs,
      signal,
      onStage: () => {}, // the rows are of messages
    });
    if (event.type === 'timed_out' || event.type === 'link_silent') return { ok: false, error: 'timeout' };
    if (event.type !== 'replied') return { ok: false, error: 'peer_disconnected' };
    if (event.response.kind === 'accepted') return { ok: true, rttMs: clock.nowMs() - startMs };
    return { ok: false, error: event.response.kind };
  }
}
