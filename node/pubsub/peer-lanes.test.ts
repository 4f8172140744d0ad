import { expect, it } from 'vitest';
import { PeerLanes } from './peer-lanes.ts';

it('a lane that is full takes no room of another', () => {
  const lanes = new PeerLanes();
  while (lanes.hasRoom('normal', 4_096)) lanes.take('normal', 4_096);
  expect(lanes.depths.normal).toBe(2_048); // 8 MiB
  expect(lanes.hasRoom('bulk', 1)).toBe(false);
  expect(lanes.hasRoom('critical', 4_096)).toBe(true);
  expect(lanes.hasRoom('control', 64)).toBe(true);
});

it('every lane ends, and what is released can be taken again', () => {
  const lanes = new PeerLanes();
  for (const [lane, most] of [
    ['critical', 64],
    ['bulk', 64],
    ['control', 512],
  ] as const) {
    while (lanes.hasRoom(lane, 10)) lanes.take(lane, 10);
    expect(lanes.depths[lane]).toBe(most);
    lanes.release(lane, 10);
    expect(lanes.hasRoom(lane, 10)).toBe(true);
  }
});
