import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../kit/random.ts';
import { SizeCut } from './cuts.ts';
import { Link, type Packet } from './link.ts';
import { type LinkFigures, UNTOUCHED } from './link-figures.ts';

const packet = (bytes = 1_200): Packet => ({ bytes, data: new Uint8Array(1) });

function linkOf(figures: Partial<LinkFigures>, seed = 1): Link {
  const link = new Link(new Random(seed));
  link.figures = { ...UNTOUCHED, ...figures };
  return link;
}

/** Sends a packet every `everyMs`; gives when each is delivered, and null for what is lost. */
function send(link: Link, count: number, everyMs: number, bytes = 1_200, fromMs = 0): (number | null)[] {
  return Array.from({ length: count }, (_, index) => {
    const fate = link.offer(packet(bytes), fromMs + index * everyMs);
    if (typeof fate !== 'object') return null;
    link.arrive(packet(bytes));
    return fate.deliverAtMs;
  });
}

function meanAndDeviation(values: readonly number[]) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}

describe('a link', () => {
  it('that does nothing delivers at once', () => {
    expect(send(linkOf({}), 3, 1)).toEqual([0, 1, 2]);
  });

  it('delays every packet by its latency', () => {
    expect(send(linkOf({ latencyMs: 140 }), 3, 10)).toEqual([140, 150, 160]);
  });

  it.for([
    ['thousands of packets at once', 5_000, 1],
    ['a packet now and then', 5_000, 2_000],
  ] as const)('at 1500 ± 200 ms has that mean and deviation for %s', ([, perStretch, everyMs]) => {
    const delays = Array.from({ length: 40 }, (_, stretch) => {
      const link = linkOf({ latencyMs: 1_500, jitterMs: 200 }, Math.imul(stretch + 1, 0x9e37_79b1));
      return send(link, perStretch, everyMs).map((atMs, index) => (atMs ?? 0) - index * everyMs);
    }).flat();
    const { mean, deviation } = meanAndDeviation(delays);
    // 40 stretches of 5 s hold about 200 independent draws: standard errors of 14 and 10 ms, four of them.
    expect(Math.abs(mean - 1_500)).toBeLessThan(57);
    expect(Math.abs(deviation - 200)).toBeLessThan(40);
    expect(delays.filter((delay) => delay > 1_300 && delay < 1_700).length / delays.length).toBeGreaterThan(
      0.6,
    );
  });

  it('keeps the order of its packets, whatever its delay does meanwhile', () => {
    const figures = fc.record({
      latencyMs: fc.integer({ min: 0, max: 2_000 }),
      jitterMs: fc.integer({ min: 0, max: 500 }),
      rateKbit: fc.option(fc.integer({ min: 64, max: 100_000 })),
    });
    const step = fc.record({
      figures,
      gapMs: fc.integer({ min: 0, max: 300 }),
      bytes: fc.integer({ min: 1, max: 16_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer(), (steps, seed) => {
        const link = linkOf({}, seed);
        let nowMs = 0;
        let lastMs = Number.NEGATIVE_INFINITY;
        for (const { figures: wanted, gapMs, bytes } of steps) {
          nowMs += gapMs;
          link.figures = { ...UNTOUCHED, ...wanted };
          const fate = link.offer(packet(bytes), nowMs);
          if (typeof fate !== 'object') continue;
          expect(fate.deliverAtMs).toBeGreaterThanOrEqual(Math.max(nowMs, lastMs));
          lastMs = fate.deliverAtMs;
        }
      }),
    );
  });

  it('lets some packets be overtaken when reordering is asked for', () => {
    const link = linkOf({ latencyMs: 20, reorderRatio: 0.1, reorderByMs: 15 });
    const at = send(link, 2_000, 1).map((ms) => ms ?? 0);
    const overtaken = at.filter((ms, index) => at.slice(index + 1, index + 20).some((later) => later < ms));
    expect(overtaken.length).toBe(link.counters.reordered);
    expect(link.counters.reordered).toBeGreaterThan(140);
    expect(link.counters.reordered).toBeLessThan(260);
  });

  it('loses the share of packets that it should', () => {
    const link = linkOf({ lossRatio: 0.005 }, 7);
    const lost = send(link, 40_000, 1).filter((atMs) => atMs === null).length;
    expect(lost).toBe(link.counters.lost);
    expect(lost).toBeGreaterThan(140); // 200 ± 14
    expect(lost).toBeLessThan(260);
  });

  it('lets through no more than its rate, and drops what finds its queue full', () => {
    const link = linkOf({ rateKbit: 8_000, queueBytes: 100_000 }); // 1,000 bytes per ms
    const at = send(link, 500, 0, 1_000).filter((ms) => ms !== null);
    expect(at).toHaveLength(132); // 32 KiB of burst, then 100,000 bytes of queue
    expect(link.counters.queueFull).toBe(500 - at.length);
    expect(at.at(-1)).toBeCloseTo(99.2, 0);
    const later = send(link, 4_000, 0.5, 1_000, 10_000).filter((ms) => ms !== null);
    const overMs = (later.at(-1) ?? 0) - (later[0] ?? 0);
    expect((later.length * 1_000) / overMs).toBeLessThan(1_030);
    expect((later.length * 1_000) / overMs).toBeGreaterThan(970);
  });

  it('holds no more than 32 MiB under way, and counts what it drops', () => {
    const link = linkOf({ latencyMs: 60_000 });
    const fates = Array.from({ length: 3_000 }, () => link.offer(packet(16_000), 0));
    expect(fates.filter((fate) => fate === 'overflow')).toHaveLength(link.counters.overflow);
    expect(fates.length - link.counters.overflow).toBe(Math.floor((32 * 1024 * 1024) / 16_000));
    link.arrive(packet(16_000));
    expect(link.offer(packet(16_000), 1)).toEqual({ deliverAtMs: 60_001 });
  });

  it('makes the same choices for the same seed', () => {
    const figures = { latencyMs: 50, jitterMs: 20, lossRatio: 0.1, reorderRatio: 0.05 };
    expect(send(linkOf(figures, 3), 500, 2)).toEqual(send(linkOf(figures, 3), 500, 2));
    expect(send(linkOf(figures, 3), 500, 2)).not.toEqual(send(linkOf(figures, 4), 500, 2));
  });
});

describe('a cut', () => {
  it('drops what was under way when it began, and counts only packets of the nodes', () => {
    const link = linkOf({ latencyMs: 100 });
    let matched = 0;
    link.offer(packet(), 0);
    link.cuts = [new SizeCut(null, () => (matched += 1))];
    expect(link.arrive(packet())).toBe('cut');
    expect(link.arrive({ bytes: 100, data: null })).toBe('cut');
    expect([matched, link.counters.cut]).toEqual([1, 2]);
    link.cuts = [];
    expect(link.arrive(packet())).toBe('delivered');
  });

  it('of larger packets lets the others pass', () => {
    const link = linkOf({});
    link.cuts = [new SizeCut(200, () => {})];
    expect([200, 201].map((bytes) => link.arrive(packet(bytes)))).toEqual(['delivered', 'cut']);
  });
});
