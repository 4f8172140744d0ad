import type { Clock } from '../../kit/clock.ts';
import { sha256Hex } from '../../kit/hash.ts';
import type { AckOutcome } from '../api/schema/ack.ts';
import type { PeerLink } from '../transport/transport.ts';
import { type DirectRequest, type DirectResponse, decodeRequest, encodeResponse } from './ack-protocol.ts';
import type { AckStats } from './ack-stats.ts';
import type { Delivery } from './delivery.ts';
import type { DmStats } from './dm-stats.ts';
import { answerLinkProof } from './link-proof.ts';
import { ReplayCache } from './replay-cache.ts';

const ACCEPTED: DirectResponse = { kind: 'accepted' };

/**
 * Answers the requests of peers: sends back what proves a link, refuses what is broken or names a sender other than the one the link
 * has proven, acknowledges a repeated request without delivering it again, admits the rest. The answer waits for room
 * in the queue (at most the admission time), never for a subscriber.
 */
export class DirectReceiver {
  readonly #modules: {
    readonly clock: Clock;
    readonly delivery: Delivery;
    readonly ackStats: AckStats;
    readonly dmStats: DmStats;
  };
  readonly #replays: ReplayCache;
  readonly #admitting = new Map<
    string,
    { readonly sha256: string; readonly response: Promise<DirectResponse> }
  >();
  #closed = false;

  constructor(
    options: { readonly maxEntries?: number },
    modules: {
      readonly clock: Clock;
      readonly delivery: Delivery;
      readonly ackStats: AckStats;
      readonly dmStats: DmStats;
    },
  ) {
    this.#modules = modules;
    this.#replays = new ReplayCache(options);
  }

  /** From now on every request is answered with "closing". */
  close(): void {
    this.#closed = true;
  }

  async answer(link: PeerLink, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const proof = answerLinkProof(body);
    if (proof !== undefined) return proof;
    const response = this.#closed
      ? ({ kind: 'closed', reason: 'shutting_down' } as const)
      : await this.#respond(link, body);
    if (signal.aborted) this.#outcome(link, 'receiver_response_write_failed'); // the sender is gone
    return encodeResponse(response);
  }

  async #respond(link: PeerLink, body: Uint8Array): Promise<DirectResponse> {
    const { clock, dmStats } = this.#modules;
    const startMs = clock.nowMs();
    const request = decodeRequest(body);
    this.#stage(link, 'receiver_demux', startMs);
    if (request.kind === 'unsupported') return this.#reject(link, 'not_supported');
    if (request.kind !== 'probe') dmStats.count('incoming_envelopes_total');
    if (request.kind === 'malformed') {
      dmStats.count('incoming_decode_failed');
      return this.#reject(link, 'invalid_envelope');
    }
    if (request.sender !== link.agentId) {
      if (request.kind === 'message') dmStats.count('incoming_signature_failed');
      return this.#reject(link, 'sender_mismatch');
    }
    return request.kind === 'probe' ? ACCEPTED : await this.#receive(link, request);
  }

  async #receive(link: PeerLink, request: DirectRequest & { kind: 'message' }): Promise<DirectResponse> {
    const key = `${link.peerId}/${request.requestId}`;
    const sha256 = sha256Hex(request.payload);
    const admitting = this.#admitting.get(key);
    const finding = admitting
      ? admitting.sha256 === sha256
        ? 'replayed'
        : 'conflict'
      : this.#replays.find(key, sha256, this.#modules.clock.nowMs());
    if (finding === 'conflict') {
      this.#outcome(link, 'receiver_duplicate_conflict');
      return this.#reject(link, 'conflict');
    }
    if (finding === 'replayed') {
      // A retry may overtake the admission of the first try: both get the same answer.
      const response = (await admitting?.response) ?? ACCEPTED;
      if (response.kind === 'accepted') this.#outcome(link, 'receiver_duplicate_replayed');
      return response;
    }
    const response = this.#admit(link, request, { key, sha256 }).finally(() => this.#admitting.delete(key));
    this.#admitting.set(key, { sha256, response }); // bounded by the requests the transport lets in
    return await response;
  }

  async #admit(
    link: PeerLink,
    request: DirectRequest & { kind: 'message' },
    { key, sha256 }: { readonly key: string; readonly sha256: string },
  ): Promise<DirectResponse> {
    const { clock, delivery, dmStats } = this.#modules;
    const startMs = clock.nowMs();
    const admission = await delivery.admit({
      requestId: request.requestId,
      sender: link.agentId,
      machineId: link.peerId,
      payload: request.payload.slice(), // what is queued must not hold the transport's buffer
      receivedAtUnixMs: Math.floor(clock.wallMs()),
      verified: true,
      trustDecision: 'Unknown',
    });
    this.#stage(link, 'receiver_admission', startMs);
    if (admission === 'backpressured') return this.#reject(link, 'backpressured');
    this.#replays.remember(key, sha256, clock.nowMs());
    dmStats.received(link.agentId, clock.nowMs());
    this.#outcome(link, 'receiver_accepted');
    return ACCEPTED;
  }

  #reject(link: PeerLink, reason: (DirectResponse & { kind: 'rejected' })['reason']): DirectResponse {
    this.#outcome(link, 'receiver_rejected');
    return { kind: 'rejected', reason };
  }

  #outcome(link: PeerLink, outcome: AckOutcome): void {
    this.#modules.ackStats.outcome(link, outcome, this.#modules.clock.wallMs());
  }

  #stage(link: PeerLink, stage: 'receiver_demux' | 'receiver_admission', startMs: number): void {
    const { ackStats, clock } = this.#modules;
    ackStats.stage(link, stage, clock.nowMs() - startMs, clock.wallMs());
  }
}
