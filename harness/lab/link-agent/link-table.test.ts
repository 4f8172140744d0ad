import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { HeldLease } from './lease-book.ts';
import { UNTOUCHED } from './link-figures.ts';
import { type Edge, LinkTable } from './link-table.ts';
import type { AgentLeaseSpec } from './protocol.ts';

const AB: Edge = ['a', 'b'];
const BA: Edge = ['b', 'a'];
let table: LinkTable;
beforeEach(() => {
  table = new LinkTable(1);
  for (const edge of [AB, BA, ['a', 'c'] as const]) table.add(edge);
});

function held(spec: AgentLeaseSpec, id = 'lease'): HeldLease<AgentLeaseSpec> {
  return { id, spec, expiresAtMs: 1_000, matchedPackets: 0 };
}

const slow = (delay_ms: number): AgentLeaseSpec => ({
  kind: 'shape',
  edges: [[...AB]],
  shape: { delay_ms, jitter_ms: 0, loss_ratio: 0, rate_kbit: null },
});

/** Sends a datagram over a link without delay. */
function pass(edge: Edge, data: Uint8Array): string {
  const packet = { bytes: data.length, data };
  if (typeof table.offer(edge, packet, 0) !== 'object') return 'dropped';
  return table.get(edge)?.arrive(packet) ?? 'no link';
}

const established = (id: Uint8Array) => Buffer.concat([Buffer.from([0x40]), id, randomBytes(40)]);
const handshake = (to: Uint8Array, from: Uint8Array) =>
  Buffer.concat([
    Buffer.from([0xc0, 0, 0, 0, 1, to.length]),
    to,
    Buffer.from([from.length]),
    from,
    randomBytes(40),
  ]);

describe('the links of a mesh', () => {
  it('add faults to their profile, and go back to it', () => {
    table.setBase(AB, { ...UNTOUCHED, latencyMs: 35 });
    const lease = held(slow(100));
    table.refresh([lease, held(slow(400), 'other')]);
    expect(table.offer(AB, { bytes: 10, data: new Uint8Array(10) }, 0)).toEqual({ deliverAtMs: 535 });
    expect(table.offer(['a', 'c'], { bytes: 10, data: null }, 0)).toEqual({ deliverAtMs: 0 });
    expect(lease.matchedPackets).toBe(1);
    table.refresh([]);
    expect(table.offer(AB, { bytes: 10, data: null }, 1_000)).toEqual({ deliverAtMs: 1_035 });
  });

  it('cut one direction only, and only for packets larger than asked', () => {
    const lease = held({ kind: 'cut', edges: [[...AB]], larger_than_bytes: 100, live_flow: false });
    table.refresh([lease]);
    const results = [AB, BA].map((edge) => [100, 101].map((bytes) => pass(edge, new Uint8Array(bytes))));
    expect(results).toEqual([
      ['delivered', 'cut'],
      ['delivered', 'delivered'],
    ]);
    expect(lease.matchedPackets).toBe(1);
  });
});

describe('a cut of live flows', () => {
  const [oldA, oldB, newA, newB] = [1, 2, 3, 4].map((byte) => Buffer.alloc(16, byte)) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const cut = () => held({ kind: 'cut', edges: [[...AB]], larger_than_bytes: null, live_flow: true });

  it('drops what belongs to connections from before, in its direction only, and never lets them pass again', () => {
    expect(pass(BA, handshake(oldA, oldB))).toBe('delivered');
    const lease = cut();
    table.refresh([lease]);
    expect([pass(AB, established(oldB)), pass(BA, established(oldA))]).toEqual(['cut', 'delivered']);
    pass(AB, handshake(randomBytes(16), newA));
    pass(BA, handshake(newA, newB));
    expect([pass(AB, established(newB)), pass(AB, established(oldB))]).toEqual(['delivered', 'cut']);
    expect(lease.matchedPackets).toBe(2);
  });

  it('keeps what it has seen when other faults come and go', () => {
    const lease = cut();
    table.refresh([lease]);
    pass(BA, handshake(newA, newB));
    table.refresh([lease, held(slow(0), 'other')]);
    expect(pass(AB, established(newB))).toBe('delivered');
  });

  it('lets datagrams that are no QUIC, and probes, pass', () => {
    table.refresh([cut()]);
    expect([pass(AB, new Uint8Array(3)), table.get(AB)?.arrive({ bytes: 9, data: null })]).toEqual([
      'delivered',
      'delivered',
    ]);
  });
});
