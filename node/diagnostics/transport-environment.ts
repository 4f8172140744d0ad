import type { ConnectivityDocument } from '../api/schema/connectivity.ts';

const CRITICAL_MTU_BYTES = 1_200; // QUIC's floor (RFC 9000 section 14)
const CONSTRAINED_MTU_BYTES = 1_252; // below IPv6's minimum of 1280 less its headers: something on the path takes room

/** What the path MTUs say about the network underneath. Nothing measured gives nulls and no degradation. Pure. */
export function transportEnvironment(
  mtus: readonly (number | null)[],
): ConnectivityDocument['transport_environment'] {
  const known = mtus.flatMap((mtu) => mtu ?? []);
  const smallest = known.length > 0 ? Math.min(...known) : null;
  const isCritical = smallest === null ? null : smallest < CRITICAL_MTU_BYTES;
  const isConstrained = smallest === null ? null : smallest < CONSTRAINED_MTU_BYTES;
  return {
    degraded: isCritical === true,
    vpn_suspected: null,
    cgnat_suspected: null,
    constrained_mtu: isConstrained,
    mtu_critical: isCritical,
    min_observed_mtu: smallest,
    lost_plpmtud_probes: null,
    black_holes_detected: null,
    vpn_egress_addr: null,
    reasons: isCritical
      ? [`a path carries datagrams of ${smallest} bytes only; QUIC needs ${CRITICAL_MTU_BYTES}`]
      : [],
    hints: isCritical ? ['look for a tunnel or VPN between the nodes, and raise its MTU'] : [],
  };
}
