import { describe, expect, it } from 'vitest';
import { delayedReader } from './delayed-reader.ts';
import { FixtureService } from './fixture-service.ts';

const NODES = ['a', 'b', 'c'];
const late = { latency_ms: { p50: 1, p99: 2, max: 15_000 } };
const losing = (lost: number) => (subscriber: string, plan: { readonly messages: number }) =>
  subscriber === 'c' ? { ...late, delivered: plan.messages - lost, missing_seqs: [49] } : {};

describe('delayed_reader', () => {
  it('holds back the last node, which it declares to be its target, and finds counted losses fine', async () => {
    const mesh = new FixtureService(NODES, { burst: losing(40) });
    void mesh.clock.sleep(2_000).then(() => {
      mesh.node('c').dropped += 40;
    });
    await mesh.run(delayedReader);
    expect(mesh.bursts).toMatchObject([{ publisher: 'a', messages: 500, delayedReaders: { c: 15_000 } }]);
    expect(mesh.records).toMatchObject([{ type: 'target_declared', node: 'c' }]);
    expect(mesh.valuesOf('read_late_secs')).toEqual({ c: 15 });
    expect(mesh.valuesOf('lost')).toEqual({ c: 40 });
    expect(mesh.valuesOf('uncounted_losses')).toEqual({ c: 0 });
    expect(mesh.valuesOf('rss_growth_mib')).toEqual({ a: 0, b: 0, c: 0 });
  });

  it('sees losses that the node does not count', async () => {
    const mesh = new FixtureService(NODES, { burst: losing(40) });
    await mesh.run(delayedReader);
    expect(mesh.valuesOf('uncounted_losses')).toEqual({ c: 40 });
  });

  it('knows a reader that read at once', async () => {
    const mesh = new FixtureService(NODES);
    await mesh.run(delayedReader);
    expect(mesh.valuesOf('read_late_secs')).toEqual({ c: 0.003 });
  });

  it('has no figure when the node restarted, since it forgot its counts', async () => {
    const mesh = new FixtureService(NODES, { burst: losing(40) });
    void mesh.clock.sleep(2_000).then(() => {
      mesh.node('c').boot += 1;
    });
    await mesh.run(delayedReader);
    expect(mesh.valuesOf('uncounted_losses')).toEqual({ c: null });
  });

  it('has no growth of memory of a node that was not seen again: nothing seen is not nothing grown', async () => {
    const mesh = new FixtureService(NODES);
    void mesh.clock.sleep(100).then(() => {
      mesh.node('b').answers = 'no';
    });
    await mesh.run(delayedReader);
    expect(mesh.valuesOf('rss_growth_mib')).toEqual({ a: 0, b: null, c: 0 });
  });

  it.each([
    ['nobody', /"nobody" is not one of a, b, c/],
    ['a', /"a" is the anchor/],
  ])('refuses %s as its reader before the run', (reader, message) => {
    const fleet = { anchor: 'a', nodes: NODES };
    expect(() => delayedReader.plannedFaults?.(fleet, { reader })).toThrow(message);
  });
});
