import { describe, expect, it } from 'vitest';
import { clockSkew } from './clock-skew.ts';
import { FixtureService } from './fixture-service.ts';

describe('clock_skew', () => {
  it('tells the offset of every node, and names those that are surely more than 500 ms off', async () => {
    const mesh = new FixtureService(['a', 'b', 'c']);
    mesh.node('b').offsetMs = -620;
    mesh.node('c').offsetMs = 502; // perhaps, with 3 ms of uncertainty
    await mesh.run(clockSkew);
    expect(mesh.valuesOf('offset_ms')).toEqual({ a: 0, b: -620, c: 502 });
    expect(mesh.valuesOf('uncertainty_ms')).toEqual({ a: 3, b: 3, c: 3 });
    expect(mesh.valuesOf('skewed_nodes')).toEqual({ 'b is -620 ± 3 ms off, more than 500 ms': 1 });
  });

  it('has no figure of a node that does not answer', async () => {
    const mesh = new FixtureService(['a', 'b']);
    mesh.node('b').answers = 'no';
    await mesh.run(clockSkew);
    expect(mesh.valuesOf('offset_ms')).toEqual({ a: 0, b: null });
    expect(mesh.valuesOf('skewed_nodes')).toEqual({ mesh: 0 });
  });
});
