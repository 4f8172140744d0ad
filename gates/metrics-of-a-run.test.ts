import { describe, expect, test } from 'vitest';
import type { FixtureOverrides } from '../proofs/fixture.ts';
import { judge } from './judge.ts';
import { parseGate } from './parse-gate.ts';
import { changed, evidenceOf, figureFrom, without } from './planted-defects.ts';

/** All findings of one objective, without the rest of a gate. */
function findings(fields: string, overrides: FixtureOverrides = {}) {
  const text = `name = "one"\ndescription = "d"\n[[objective]]\nname = "o"\nwhy = "w"\n${fields}\n`;
  const verdict = judge(evidenceOf(overrides), parseGate(text, 'one.toml'));
  return verdict.findings.filter((finding) => finding.objective === 'o');
}

const DELIVERED = 'metric = "burst.delivered_ratio"\nscenarios = ["fanout_burst"]\nlimit = { min = 1 }\n';

describe('a soak that was seen in part', () => {
  const lost = without(
    (r) => r.type === 'sample' && r.node === 'nyc' && r.window === 2 && r.phase === 'post',
  );

  test('is NO-GO when the seen part is already past a maximum', () => {
    const found = findings(
      'metric = "gossip.stats.publish_total"\nscope = "soak"\nlimit = { max = 599 }',
      lost,
    );
    expect(found.map(({ subject, verdict }) => [subject, verdict])).toEqual([
      ['ams', 'NO-GO'],
      ['nyc', 'NO-GO'],
    ]);
    expect(found[1]).toMatchObject({ value: { seen: 600 }, margin: -1 });
  });

  test('is INCONCLUSIVE when the seen part is still short of a minimum', () => {
    const found = findings(
      'metric = "gossip.stats.publish_total"\nscope = "soak"\nlimit = { min = 601 }',
      lost,
    );
    expect(found.map(({ verdict }) => verdict)).toEqual(['GO', 'INCONCLUSIVE']);
  });
});

describe('a burst', () => {
  const second = (isHeard: (subscriber: string) => boolean): FixtureOverrides => ({
    records: (records) =>
      records.flatMap((record) =>
        record.type === 'burst_delivery' && isHeard(record.subscriber)
          ? [record, { ...record, publisher: 'nyc', delivered: 100 }]
          : [record],
      ),
  });

  test('of each publisher counts towards one ratio per subscriber', () => {
    const found = findings(
      `${DELIVERED}scope = "node"`,
      second(() => true),
    );
    expect(found.map(({ value }) => value)).toEqual(Array(4).fill({ seen: 0.75 }));
  });

  test('that only some subscribers report is INCONCLUSIVE for the others', () => {
    const found = findings(
      `${DELIVERED}scope = "node"`,
      second((subscriber) => subscriber === 'ams'),
    );
    expect(found.map(({ subject, verdict }) => [subject, verdict])).toEqual([
      ['ams', 'NO-GO'],
      ['nyc', 'INCONCLUSIVE'],
      ['ams', 'NO-GO'],
      ['nyc', 'INCONCLUSIVE'],
    ]);
    expect(found[1]?.reason).toContain("no report of nyc's burst");
  });

  test.each([
    ['more was delivered than planned', { delivered: 201 }],
    ['nothing was planned', { planned: 0, delivered: 0 }],
  ])('is INCONCLUSIVE when %s', (_, change) => {
    const found = findings(
      `${DELIVERED}scope = "fleet"`,
      changed(
        'burst_delivery',
        () => true,
        (record) => ({ ...record, ...change }),
      ),
    );
    expect(found.map(({ verdict }) => verdict)).toEqual(['INCONCLUSIVE', 'INCONCLUSIVE']);
  });
});

describe('pairs', () => {
  const PATH = 'metric = "pairs.unexpected_path"\nscenarios = ["baseline"]\nlimit = { max = 0 }\n';

  test('that name an acknowledged path without an acknowledgement are on no path', () => {
    const found = findings(
      `${PATH}scope = "soak"`,
      changed(
        'pair_outcome',
        ({ window }) => window === 1,
        (record) => ({ ...record, acked: false }),
      ),
    );
    expect(found[0]).toMatchObject({ verdict: 'NO-GO', value: { seen: 2 } });
    expect(found[0]?.reason).toContain('path raw_quic_acked, yet no acknowledgement');
  });

  test('are one finding per window and per soak when asked so', () => {
    expect(findings(`${PATH}scope = "window"`).map(({ subject }) => subject)).toEqual([
      'window 1',
      'window 2',
    ]);
    expect(findings(`${PATH}scope = "soak"`).map(({ subject }) => subject)).toEqual(['soak']);
  });

  test('measured twice in a scenario must hold both times', () => {
    const twice: FixtureOverrides = {
      records: (records) => [
        ...records
          .filter((record) => record.type === 'pair_outcome')
          .map((one) => ({ ...one, received: false })),
        ...records,
      ],
    };
    const fields =
      'metric = "pairs.delivered_ratio"\nscope = "pair"\nscenarios = ["baseline"]\nlimit = { min = 1 }';
    expect(findings(fields, twice).map(({ value }) => value)).toEqual(Array(4).fill({ seen: 0.5 }));
  });
});

describe('suppression', () => {
  const RATIO = 'metric = "gossip.suppression_ratio"\nscope = "node"\nlimit = { max = 1 }';
  const suppressed = (scores: (step: number) => readonly object[]): FixtureOverrides => ({
    body: (body, name, place) => {
      if (name !== 'gossip') return body;
      const stages = { suppressed_peers: [{}], peer_scores: scores(place.step) };
      return { ...body, pubsub_stages: stages };
    },
  });

  test('divides by the larger of the two ends, since a score list may be empty for a moment', () => {
    const found = findings(
      RATIO,
      suppressed((step) => (step % 2 === 0 ? [] : [{}, {}])),
    );
    expect(new Set(found.map(({ value }) => JSON.stringify(value)))).toEqual(new Set(['{"seen":0.5}']));
  });

  test('of somebody out of nobody is infinity, and NO-GO without a margin', () => {
    const found = findings(
      RATIO,
      suppressed(() => []),
    );
    expect(found[0]).toMatchObject({ verdict: 'NO-GO', value: { seen: 'infinity' }, margin: null });
  });
});

test('the latest of several closing samples of a scenario is judged', () => {
  const again: FixtureOverrides = {
    ...figureFrom('nyc', 8, 'gossip.recv_pump.pubsub.dropped_full', 9),
    records: (records) =>
      records.flatMap((record) =>
        record.type === 'sample' && record.phase === 'post' && record.scenario === 'fanout_burst'
          ? [record, { ...record, at_mono_ms: record.at_mono_ms - 5_000, documents: {} }]
          : [record],
      ),
  };
  const found = findings(
    'metric = "gossip.recv_pump.pubsub.dropped_full"\nscope = "fleet"\nlimit = { max = 8 }',
    again,
  );
  expect(found.at(-1)).toMatchObject({ verdict: 'NO-GO', value: { seen: 9 } });
});
