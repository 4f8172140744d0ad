import { expect, it } from 'vitest';
import { applyScript, removeScript, renewScript } from './nft-script.ts';
import type { CutLease, ShapeLease } from './protocol.ts';

const KEY = { run_id: '20261121T120000Z-abc123', lease_id: 'f1.0' };
const CUT: CutLease = {
  ...KEY,
  kind: 'cut',
  ttl_ms: 15_000,
  peers: ['192.0.2.7', '2001:DB8:0:0::7', '::ffff:192.0.2.8', '192.0.2.7', '2001:db8::7'],
  larger_than_bytes: null,
};
const TABLE = 'meshproof_20261121T120000Z-abc123_f1.0';

it('puts each peer once into the set of its family, in canonical form and with the time of the lease', () => {
  expect(applyScript(CUT)).toBe(`add table inet ${TABLE}
delete table inet ${TABLE}
table inet ${TABLE} {
  set peers4 { type ipv4_addr; flags timeout; elements = { 192.0.2.7 timeout 15000ms, 192.0.2.8 timeout 15000ms } }
  set peers6 { type ipv6_addr; flags timeout; elements = { 2001:db8::7 timeout 15000ms } }
  chain arriving { type filter hook input priority -300; policy accept;
    ip saddr @peers4 counter drop
    ip6 saddr @peers6 counter drop
  }
}
`);
});

it('drops only packets larger than given when a size is given', () => {
  const script = applyScript({ ...CUT, larger_than_bytes: 1_200 });
  expect(script).toContain('ip saddr @peers4 meta length > 1200 counter drop');
  expect(script).toContain('ip6 saddr @peers6 meta length > 1200 counter drop');
});

it('sends what leaves for the peers of a shape into the slow band, and drops nothing', () => {
  const shape: ShapeLease = {
    ...KEY,
    kind: 'shape',
    ttl_ms: 9_000,
    peers: ['192.0.2.7'],
    delay_ms: 1,
    jitter_ms: 0,
    loss_ratio: 0,
    rate_kbit: null,
  };
  expect(applyScript(shape)).toContain(`  set peers6 { type ipv6_addr; flags timeout; }
  chain leaving { type route hook output priority -150; policy accept;
    ip daddr @peers4 counter meta priority set 6d70:4
    ip6 daddr @peers6 counter meta priority set 6d70:4
  }`);
  expect(applyScript(shape)).not.toContain('drop');
});

it('renews by deleting and adding every element in one transaction', () => {
  expect(renewScript({ ...CUT, peers: ['192.0.2.7', '2001:db8::7'] }, 4_000)).toBe(
    `delete element inet ${TABLE} peers4 { 192.0.2.7 }
add element inet ${TABLE} peers4 { 192.0.2.7 timeout 4000ms }
delete element inet ${TABLE} peers6 { 2001:db8::7 }
add element inet ${TABLE} peers6 { 2001:db8::7 timeout 4000ms }
`,
  );
});

it('removes a table whether or not it is there', () => {
  expect(removeScript(KEY)).toBe(`add table inet ${TABLE}\ndelete table inet ${TABLE}\n`);
});
