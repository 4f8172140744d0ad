import type { HealthBody, StatusBody } from './schema/status.ts';
import type { ApiServices } from './services.ts';

const LONELY_GRACE_SECS = 120; // a node that just started is not degraded for having no peers yet
const CONNECTING_SECS = 45;

/** The body of `GET /health`, from live links only. */
export function healthOf({ facts, links }: Pick<ApiServices, 'facts' | 'links'>): HealthBody {
  const peers = links.links().length;
  const { boot_id, uptime_secs } = facts.epoch();
  const isLonely = peers === 0 && uptime_secs >= LONELY_GRACE_SECS;
  return {
    ok: true,
    status: isLonely ? 'degraded' : 'healthy',
    version: facts.version,
    peers,
    send_ready_peers: peers,
    uptime_secs,
    boot_id,
    ...(isLonely ? { degraded_reason: `no live peer after ${LONELY_GRACE_SECS} s` } : {}),
  };
}

/** The word of `GET /status`: a warning or bad health weighs more than having peers. */
export function connectionStatus(health: HealthBody, warnings: readonly string[]): StatusBody['status'] {
  if (warnings.length > 0 || health.status === 'degraded') return 'degraded';
  if (health.send_ready_peers > 0) return 'connected';
  return health.uptime_secs < CONNECTING_SECS ? 'connecting' : 'isolated';
}
