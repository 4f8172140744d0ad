import type { Clock } from '../../kit/clock.ts';
import { codeOf, messageOf } from '../../kit/errors.ts';
import type { AckStage } from '../api/schema/ack.ts';
import type { AgentId, LinkPath, PeerId, PeerLink, RequestStep, Transport } from '../transport/transport.ts';
import { decodeResponse } from './ack-protocol.ts';
import type { LinkWatch } from './link-watch.ts';
import { raceDeadline } from './race-deadline.ts';
import type { SendEvent } from './send-core.ts';
import { isSilent, silenceLimitMs } from './silence.ts';

const STAGE_OF_STEP = {
  opened: 'sender_open_bi',
  written: 'sender_request_write',
  finished: 'sender_request_finish',
} as const satisfies Record<RequestStep, AckStage>;

const TIMED_OUT: SendEvent = { type: 'timed_out' };
/** A replaced connection drains for 5 s, so that an answer under way on it still comes: at most a round trip later. */
const LATE_ANSWER_MS = 250;
const ROUND_TRIPS = 2; // as its measure wavers

interface AttemptModules {
  readonly transport: Pick<Transport, 'request'>;
  readonly watch: LinkWatch;
  readonly clock: Clock;
  /** How a live link does; without it no link is judged by its silence. */
  readonly pathTo?: ((peerId: PeerId) => LinkPath | undefined) | undefined;
}

/**
 * Transmits `body` on the live link and waits for what ends the try first: the reply, the loss of the link (when that
 * was replaced, only once the answer has had its time on the old one), the deadline, or so long a silence since `unansweredSinceMs` that the link must be dead (`onSilence` is then called as
 * the try ends).
 * The request's stream is given up with the try. Rejects only when `signal` aborts, with its reason.
 */
export async function transmit(
  { transport, watch, clock, pathTo }: AttemptModules,
  link: PeerLink,
  body: Uint8Array,
  {
    untilMs,
    unansweredSinceMs,
    signal,
    onStage,
    onSilence,
  }: {
    readonly untilMs: number;
    /** When this message was first sent on this link; now, unless this is a retry. */
    readonly unansweredSinceMs?: number;
    readonly signal: AbortSignal;
    readonly onStage: (stage: AckStage, tookMs: number) => void;
    readonly onSilence?: (silentMs: number) => void;
  },
): Promise<SendEvent> {
  const isLost = () => watch.linkTo(link.agentId)?.generation !== link.generation;
  const startMs = clock.nowMs();
  const path = pathTo?.(link.peerId);
  const limitMs = path ? silenceLimitMs(path) : Number.POSITIVE_INFINITY;
  const firstSentMs = unansweredSinceMs ?? startMs;
  let sinceMs = startMs;
  const stageEnded = (stage: AckStage) => {
    const nowMs = clock.nowMs();
    onStage(stage, nowMs - sinceMs);
    sinceMs = nowMs;
  };
  const bounds = { clock, untilMs, atDeadline: TIMED_OUT, signal };
  return await raceDeadline<SendEvent>(bounds, (settle, stop) => {
    const lateAnswerMs = Math.max(LATE_ANSWER_MS, ROUND_TRIPS * (path?.rttMs ?? 0));
    const unwatch = watch.onChange(link.agentId, () => {
      if (!isLost()) return;
      if (watch.linkTo(link.agentId) === undefined) return settle({ type: 'link_lost' });
      clock.sleep(lateAnswerMs, stop).then(
        () => settle({ type: 'link_lost' }),
        () => {}, // the try is over
      );
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
    if (firstSentMs + limitMs < untilMs) {
      clock.sleep(Math.max(0, firstSentMs + limitMs - startMs), stop).then(
        async () => {
          await new Promise(setImmediate); // what came while this process was busy must be read before it is missed
          const now = stop.aborted || isLost() ? undefined : pathTo?.(link.peerId);
          const waitedMs = clock.nowMs() - firstSentMs;
          if (now === undefined || !isSilent(now, limitMs, waitedMs)) return;
          settle({ type: 'link_silent' });
          onSilence?.(waitedMs);
        },
        () => {}, // the try is over
      );
    }
    return unwatch;
  });
}

/** Waits for a live link to `agentId` other than `lostGeneration`; `repair` helps it come, where that may be. */
export async function findLink(
  { watch, clock }: Pick<AttemptModules, 'watch' | 'clock'>,
  agentId: AgentId,
  {
    untilMs,
    lostGeneration,
    mayDial,
    repair,
    signal,
  }: {
    readonly untilMs: number;
    readonly lostGeneration: number | null;
    readonly mayDial: boolean;
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
      if (mayDial) repair?.(peerId, stop).then(look, () => {});
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
