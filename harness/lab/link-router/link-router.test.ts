import { describe, expect, it } from 'vitest';
import { figuresToWire, type LinkFigures, UNTOUCHED } from '../link-agent/link-figures.ts';
import { LinkRouter } from './link-router.ts';

const SEED = 7;
const [A, B, STRANGER] = [
  [192, 0, 2, 11],
  [192, 0, 2, 12],
  [203, 0, 113, 1],
] as const;

/** A packet of `bytes` between two addresses that says which one it is. */
function packet(from: readonly number[], to: readonly number[], mark = 0, bytes = 100): Buffer {
  const made = Buffer.alloc(bytes);
  made[0] = 0x45;
  made.writeUInt16BE(bytes, 2);
  made.set([...from, ...to], 12);
  made[bytes - 1] = mark;
  return made;
}

function router(there: Partial<LinkFigures>, back: Partial<LinkFigures> = {}): LinkRouter {
  const figures = (some: Partial<LinkFigures>) => figuresToWire({ ...UNTOUCHED, ...some });
  return new LinkRouter(
    {
      members: [
        { name: 'lab1', addresses: ['192.0.2.11', '2001:db8::b'] },
        { name: 'lab2', addresses: ['192.0.2.12', '2001:db8::c'] },
      ],
      links: {
        format: 'meshproof.planned-links.v1',
        name: 'test',
        groups: [
          { figures: figures(there), edges: [['lab1', 'lab2']] },
          { figures: figures(back), edges: [['lab2', 'lab1']] },
        ],
      },
    },
    SEED,
  );
}

describe('a router of links', () => {
  it('gives each directed pair its own delay, and packets back as they came', () => {
    const links = router({ latencyMs: 30 }, { latencyMs: 80 });
    const [there, back] = [packet(A, B), packet(B, A)];
    links.enter(back, 1_000);
    links.enter(there, 1_000);
    expect(links.nextAtMs).toBe(1_030);
    expect(links.takeDue(1_029)).toBeUndefined();
    expect(links.takeDue(1_030)).toBe(there);
    expect(links.nextAtMs).toBe(1_080);
    expect(links.takeDue(1_080)).toBe(back);
    expect(links.nextAtMs).toBeUndefined();
    expect(links.dropped()).toEqual({ malformed: 0, foreign: 0, overflow: 0 });
  });

  it('drops and counts what is no packet, and what is not between two of its hosts', () => {
    const links = router({});
    links.enter(Buffer.from('no packet'), 0);
    links.enter(packet(A, STRANGER), 0);
    links.enter(packet(STRANGER, B), 0);
    links.enter(packet(A, A), 0);
    expect(links.nextAtMs).toBeUndefined();
    expect(links.dropped()).toEqual({ malformed: 1, foreign: 3, overflow: 0 });
  });

  it('holds no more under way than a link may, counts what is too much, and takes more when that is out', () => {
    const links = router({ latencyMs: 1_000 });
    const big = packet(A, B, 0, 65_535);
    const fit = Math.floor((32 * 1024 * 1024) / big.length);
    for (let sent = 0; sent < fit + 3; sent += 1) links.enter(big, 0);
    expect(links.dropped().overflow).toBe(3);
    let out = 0;
    while (links.takeDue(1_000) !== undefined) out += 1;
    expect(out).toBe(fit);
    links.enter(big, 2_000);
    expect(links.nextAtMs).toBe(3_000);
  });

  it('loses what the figures say, with the same choices for the same seed', () => {
    const survivors = () => {
      const links = router({ lossRatio: 0.5 });
      for (let mark = 0; mark < 100; mark += 1) links.enter(packet(A, B, mark), mark);
      const marks: (number | undefined)[] = [];
      for (let due = links.takeDue(200); due !== undefined; due = links.takeDue(200)) marks.push(due.at(-1));
      return marks;
    };
    expect(survivors().length).toBeGreaterThan(30);
    expect(survivors().length).toBeLessThan(70);
    expect(survivors()).toEqual(survivors());
  });
});
