import type * as z from 'zod';
import type { DirectMessage } from '../direct/direct-message.ts';
import type { DirectMessageEvent, PeerLifecycleEvent, peerEventSchema } from './schema/messages.ts';
import type { DirectService, LinkService } from './services.ts';
import { SseStream } from './sse.ts';
import { SseBudget } from './sse-budget.ts';
import { SSE_BOUNDS } from './sse-queue.ts';
import { toBase64 } from './subscriptions.ts';

/** The three event streams of the API. Rooms push into them; they never push back at a room. */
export class EventStreams {
  readonly #budget = new SseBudget();
  readonly events = new SseStream(SSE_BOUNDS, this.#budget);
  readonly direct = new SseStream(SSE_BOUNDS, this.#budget);
  readonly peers = new SseStream(SSE_BOUNDS, this.#budget);
  readonly #stops: (() => void)[] = [];

  /** Starts feeding the streams from the rooms. */
  connect({ direct, links }: { direct: DirectService; links: LinkService }): void {
    // Only while somebody reads: until then direct messages wait, bounded, where senders are told when there is no room.
    let stopDirect = () => {};
    this.direct.onEvicted = (events) => direct.subscriberEvicted(events);
    this.direct.onAudience = (hasReaders) => {
      stopDirect();
      stopDirect = hasReaders ? direct.subscribe((message) => this.#directMessage(message)) : () => {};
    };
    this.#stops.push(
      () => stopDirect(),
      links.onLink(({ event, link, atUnixMs, reason }) => {
        this.peers.send('peer-lifecycle', {
          peer_id: link.peerId,
          event,
          at_ms: Math.round(atUnixMs),
          reason,
        } satisfies PeerLifecycleEvent);
        if (event === 'Established') this.#peer('peer:connected', link.peerId);
        const isGone = event === 'Closed' && !links.links().some(({ peerId }) => peerId === link.peerId);
        if (isGone) this.#peer('peer:disconnected', link.peerId);
      }),
    );
  }

  get all(): readonly SseStream[] {
    return [this.events, this.direct, this.peers];
  }

  /** Stops feeding, and ends every reader. */
  end(): void {
    for (const stop of this.#stops.splice(0)) stop();
    for (const stream of this.all) stream.end();
  }

  #peer(type: z.infer<typeof peerEventSchema>['type'], peerId: string): void {
    this.events.send(type, { type, data: { peer_id: peerId } } satisfies z.infer<typeof peerEventSchema>);
  }

  #directMessage(message: DirectMessage): void {
    this.direct.send('direct_message', {
      sender: message.sender,
      machine_id: message.machineId,
      payload: toBase64(message.payload),
      received_at: Math.round(message.receivedAtUnixMs),
      verified: message.verified,
      trust_decision: message.trustDecision,
    } satisfies DirectMessageEvent);
  }
}
