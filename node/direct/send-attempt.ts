import type { Clock } from '../../kit/clock.ts';
import { codeOf, messageOf } from '../../kit/errors.ts';
import type { AckStage } from '../api/schema/ack.ts';
import type { AgentId, PeerId, PeerLink, RequestStep, Transport } from '../transport/transport.ts';
import { decodeResponse } from './ack-protocol.ts';
import type { LinkWatch } from './link-watch.ts';
import { raceDeadline } from './race-deadline.ts';
import type { SendEvent } from './send-core.ts';

const STAGE_OF_STEP = {
  opened: 'sender_open_bi',
  written: 'sender_request_write',
  finished: 'sender_request_finish',
} as const satisfies Record<RequestStep, AckStage>;

const TIMED_OUT: SendEvent = { type: 'timed_out' };

interface AttemptModules {
  readonly transport: Pick<Transport, 'request'>;
  readonly watch: LinkWatch;
  readonly clock: Clock;
}

/**
 * Transmits `body` on the live link and waits for what ends the try first: the reply, the loss of the link, the
 * deadline. The request's stream is given up with the try. Rejects only when `signal` aborts, with its reason.
 */
export async function transmit(
  { transport, watch, clock }: AttemptModules,
  link: PeerLink,
  body: Uint8Array,
  {
    untilMs,
    signal,
    onStage,
  }: {
    readonly untilMs: number;
    readonly signal: AbortSignal;
    readonly onStage: (stage: AckStage, tookMs: number) => void;
  },
): Promise<SendEvent> {
  const isLost = () => watch.linkTo(link.agentId)?.generation !== link.generation;
  let sinceMs = clock.nowMs();
  const stageEnded = (stage: AckStage) => {
    const nowMs = clock.nowMs();
    onStage(stage, nowMs - sinceMs);
    sinceMs = nowMs;
  };
  const bounds = { clock, untilMs, atDeadline: TIMED_OUT, signal };
  return await raceDeadline(bounds, (settle, stop) => {
    const unwatch = watch.onChange(link.agentId, () => {
      if (isLost()) settle({ type: 'link_lost' });
    });
    if (isLost()) {
      settle({ type: 'link_lost' });
      return unwatch;
    }
    const request = transport.request(link.peerId, body, stop, (step) => stageEnded(STAGE_OF_STEP[step]));
    request.then(
      (reply) => {
        stageEnded('sender_response_read');
        settle({ type: 'replied', response: decodeResponse(reply) });
      },
      (error: unknown) => settle(isLost() ? { type: 'link_lost' } : failureEvent(error)),
    );
    return unwatch;
  });
}

/** Waits for a live link to `agentId` other than `lostGeneration`; `repair` may help it come. */
export async function findLink(
  { watch, clock }: Pick<AttemptModules, 'watch' | 'clock'>,
  agentId: AgentId,
  {
    untilMs,
    lostGeneration,
    repair,
    signal,
  }: {
    readonly untilMs: number;
    readonly lostGeneration: number | null;
    readonly repair: ((peerId: PeerId, signal: AbortSignal) => Promise<unknown>) | undefined;
    readonly signal: AbortSignal;
  },
): Promise<PeerLink | undefined> {
  const live = () => {
    const link = watch.linkTo(agentId);
    return link && link.generation !== lostGeneration ? link : undefined;
  };
  const peerId = watch.peerOf(agentId);
  const now = live();
  if (now || peerId === undefined) return now;
  return await raceDeadline<PeerLink | undefined>(
    { clock, untilMs, atDeadline: undefined, signal },
    (settle, stop) => {
      const look = () => {
        const link = live();
        if (link) settle(link);
      };
      // A failed repair is no news: the link may still come from the other side, and the wait has its own end.
      if (lostGeneration === null) repair?.(peerId, stop).then(look, () => {});
      return watch.onChange(agentId, look);
    },
  );
}

/** What a failed request says: codes of `TransportError`. */
function failureEvent(error: unknown): SendEvent {
  const code = codeOf(error);
  if (code === 'NO_LINK' || code === 'LINK_CLOSED' || code === 'LINK_REPLACED') return { type: 'link_lost' };
  const why = messageOf(error);
  if (code === 'SEND_QUEUE_FULL' || code === 'REQUEST_LIMIT') return { type: 'congested', why };
  return { type: 'stream_failed', why };
}
