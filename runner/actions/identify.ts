import type { Clock } from '../../kit/clock.ts';
import { action } from '../action.ts';
import { type DiscoverDetails, plainParamsSchema } from '../action-schema.ts';
import type { NodeLink } from '../node-link.ts';

interface IdentifyModules {
  readonly link: NodeLink;
  readonly clock: Clock;
  readonly version: string;
  readonly startedMs: number;
  readonly unhandledErrors: () => number;
}

/** `discover`: who and where this runner is, and whether it hears its node. */
export function discover({ link, clock, version, startedMs, unhandledErrors }: IdentifyModules) {
  return action(plainParamsSchema, (_params, call) => {
    const { streams } = link;
    const details: DiscoverDetails = {
      runner_version: version,
      streams,
      streams_attached: streams.direct && streams.events,
      node_connects: link.attachedTimes('direct'),
      unhandled_errors_total: unhandledErrors(),
      uptime_secs: (clock.nowMs() - startedMs) / 1_000,
    };
    call.report('discover_reply', details);
  });
}

/** `noop_ack`: a sign of life. */
export const noopAck = action(plainParamsSchema, (_params, call) => call.report('ack', {}));
