import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { metricAt, type NodeDocuments, observedMetricAt, parseMetricPath } from './metrics.ts';
import { missing, seen } from './observation.ts';

const documents = {
  gossip: {
    recv_pump: { pubsub: { dropped_full: 3 }, per_peer: { aa: { lost: 1 }, 'b.b': { lost: 4 } } },
    pubsub_stages: {
      peer_scores: [{ score: 1 }, { score: 0.5 }],
      topic_caches: [{ cache: { msg_count: 4 } }, { cache: { msg_count: 6 } }],
      mixed: [{ count: 4 }, { count: null }],
      none: [],
      text: '12',
      nothing: null,
      beyond: JSON.parse('1e999'),
    },
  },
};
const observed: NodeDocuments = {
  gossip: seen(documents.gossip),
  connectivity: missing('unreadable', 'HTTP 503'),
};

describe('metricAt', () => {
  it.each([
    ['gossip.recv_pump.pubsub.dropped_full', 3],
    ['gossip.pubsub_stages.peer_scores.length', 2],
    ['gossip.pubsub_stages.peer_scores[].length', 2],
    ['gossip.pubsub_stages.topic_caches[].cache.msg_count', 10],
    ['gossip.pubsub_stages.none[].cache.msg_count', 0],
    ['gossip.recv_pump.per_peer{}.lost', 5],
  ])('reads %s as %d', (path, value) => {
    expect(metricAt(documents, path)).toEqual(seen(value));
  });

  it.each([
    ['gossip.recv_pump.pubsub.not_there', 'absent', 'gossip.recv_pump.pubsub.not_there is not there'],
    ['gossip.not_there.deeper.still', 'absent', 'gossip.not_there is not there'],
    ['gossip.pubsub_stages.nothing', 'absent', 'gossip.pubsub_stages.nothing is null'],
    ['gossip.pubsub_stages.nothing[].x', 'absent', 'gossip.pubsub_stages.nothing is null'],
    ['gossip.pubsub_stages.text', 'unreadable', 'gossip.pubsub_stages.text is string, not a finite number'],
    ['gossip.pubsub_stages.text[].x', 'unreadable', 'gossip.pubsub_stages.text is not a list'],
    ['gossip.pubsub_stages.text.deeper', 'unreadable', 'gossip.pubsub_stages.text is string, not an object'],
    [
      'gossip.pubsub_stages.peer_scores',
      'unreadable',
      'gossip.pubsub_stages.peer_scores is a list, not a finite number',
    ],
    [
      'gossip.pubsub_stages.beyond',
      'unreadable',
      'gossip.pubsub_stages.beyond is Infinity, not a finite number',
    ],
    ['gossip.constructor.length', 'absent', 'gossip.constructor is not there'],
    ['gossip.recv_pump.pubsub.length', 'absent', 'gossip.recv_pump.pubsub.length is not there'],
    ['ack.ack.retention_minutes', 'absent', 'no ack document was read'],
  ] as const)('finds %s %s', (path, kind, why) => {
    expect(metricAt(documents, path)).toEqual(missing(kind, why));
  });

  it('never gives a partial sum when one item of a list is missing', () => {
    expect(metricAt(documents, 'gossip.pubsub_stages.mixed[].count')).toEqual(
      missing('absent', 'gossip.pubsub_stages.mixed[1].count is null'),
    );
  });

  it('finds nothing in bodies that are not an object', () => {
    expect(metricAt(null, 'gossip.a')).toEqual(missing('absent', 'no gossip document was read'));
  });

  it('takes a sum that leaves the finite numbers for unreadable', () => {
    expect(metricAt({ gossip: { big: [{ n: 1e308 }, { n: 1e308 }] } }, 'gossip.big[].n')).toMatchObject({
      missing: 'unreadable',
    });
  });

  it('sees exactly finite numbers, whatever JSON a node sends', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const found = metricAt({ gossip: { figure: value } }, 'gossip.figure');
        expect('seen' in found).toBe(typeof value === 'number' && Number.isFinite(value));
      }),
    );
  });
});

describe('observedMetricAt', () => {
  it('answers with why the document is missing', () => {
    expect(observedMetricAt(observed, 'connectivity.data_tx.data_tx_depth')).toEqual(
      missing('unreadable', 'HTTP 503'),
    );
    expect(observedMetricAt(observed, 'ack.ack.retention_minutes')).toEqual(
      missing('absent', 'no ack document was read'),
    );
  });

  it('reads a document that was seen', () => {
    expect(observedMetricAt(observed, 'gossip.recv_pump.pubsub.dropped_full')).toEqual(seen(3));
  });
});

describe('parseMetricPath', () => {
  it.each([
    ['gosip.stats.publish_total', 'not a diagnostics document'],
    ['gossip', 'no figure'],
    ['gossip.', 'not a key'],
    ['gossip.a..b', 'not a key'],
    ['gossip.a[0].b', 'not a key'],
    ['gossip.peer_scores[]', 'ends in a list'],
    ['', 'not a diagnostics document'],
  ])('refuses %j', (path, why) => {
    expect(() => parseMetricPath(path)).toThrow(why);
  });
});
