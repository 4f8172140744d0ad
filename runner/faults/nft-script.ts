import { isIPv4 } from 'node:net';
import { SLOW_BAND, tableOf } from './names.ts';
import type { CutLease, LeaseKey, ShapeLease } from './protocol.ts';

/**
 * The nft side of a lease: a table of its own, so that leases neither share nor outlive anything. Its rules match two
 * sets whose elements time out: when nobody renews them the kernel ends the fault, and the empty table harms nobody.
 * Each script is one transaction: all of it or nothing.
 */

type NetworkLease = CutLease | ShapeLease;

/** Makes the table with its rules and elements; replaces one of the same lease. */
export function applyScript(lease: NetworkLease): string {
  const table = tableOf(lease);
  const { v4, v6 } = byFamily(lease.peers);
  const [chain, rules] = lease.kind === 'cut' ? arriving(lease) : leaving();
  return [
    `add table inet ${table}`, // so that the deletion cannot fail
    `delete table inet ${table}`,
    `table inet ${table} {`,
    `  set peers4 { type ipv4_addr; flags timeout; ${elements(v4, lease.ttl_ms)}}`,
    `  set peers6 { type ipv6_addr; flags timeout; ${elements(v6, lease.ttl_ms)}}`,
    `  chain ${chain}`,
    ...rules.map((rule) => `    ${rule}`),
    '  }',
    '}',
    '',
  ].join('\n');
}

/**
 * Gives every element its time anew. Timeouts cannot be changed in place, so each is deleted and added in the same
 * transaction; it fails as a whole when one of them has expired, and then the lease is lost.
 */
export function renewScript(lease: NetworkLease, ttlMs: number): string {
  const table = tableOf(lease);
  const { v4, v6 } = byFamily(lease.peers);
  return Object.entries({ peers4: v4, peers6: v6 })
    .filter(([, addresses]) => addresses.length > 0)
    .flatMap(([set, addresses]) => [
      `delete element inet ${table} ${set} { ${addresses.join(', ')} }`,
      `add element inet ${table} ${set} { ${timed(addresses, ttlMs)} }`,
    ])
    .concat('')
    .join('\n');
}

/** Removes the table of a lease, there or not. */
export function removeScript(key: LeaseKey): string {
  const table = tableOf(key);
  return `add table inet ${table}\ndelete table inet ${table}\n`;
}

// Priority -300 is before connection tracking: what the cut drops leaves no trace on the host.
function arriving(lease: CutLease): readonly [string, readonly string[]] {
  const size = lease.larger_than_bytes === null ? '' : `meta length > ${lease.larger_than_bytes} `;
  return [
    'arriving { type filter hook input priority -300; policy accept;',
    [`ip saddr @peers4 ${size}counter drop`, `ip6 saddr @peers6 ${size}counter drop`],
  ];
}

function leaving(): readonly [string, readonly string[]] {
  return [
    'leaving { type route hook output priority -150; policy accept;',
    [
      `ip daddr @peers4 counter meta priority set ${SLOW_BAND}`,
      `ip6 daddr @peers6 counter meta priority set ${SLOW_BAND}`,
    ],
  ];
}

function elements(addresses: readonly string[], ttlMs: number): string {
  return addresses.length === 0 ? '' : `elements = { ${timed(addresses, ttlMs)} } `;
}

function timed(addresses: readonly string[], ttlMs: number): string {
  return addresses.map((address) => `${address} timeout ${ttlMs}ms`).join(', ');
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** Each address once, in canonical form: nft refuses an element that is given twice. */
function byFamily(addresses: readonly string[]): {
  readonly v4: readonly string[];
  readonly v6: readonly string[];
} {
  const plain = addresses.map(canonicalAddress);
  return {
    v4: [...new Set(plain.filter((address) => isIPv4(address)))],
    v6: [...new Set(plain.filter((address) => !isIPv4(address)))],
  };
}

/** One spelling for each address; an IPv4 address mapped into IPv6 is what it is on the wire. */
export function canonicalAddress(address: string): string {
  const v4 = MAPPED.exec(address)?.[1] ?? address;
  return isIPv4(v4) ? v4 : new URL(`http://[${address}]`).hostname.slice(1, -1);
}
