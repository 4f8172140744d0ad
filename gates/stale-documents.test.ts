import { describe, expect, test } from 'vitest';
import type { SampleRecord } from '../proofs/evidence.ts';
import type { FixtureOverrides } from '../proofs/fixture.ts';
import { seen } from '../proofs/observation.ts';
import { judge } from './judge.ts';
import { evidenceOf, figureFrom, objectivesThatAre, reasonsText, shippedGate } from './planted-defects.ts';
import { findStaleDocuments } from './stale-documents.ts';

const gates = [shippedGate('limited-production'), shippedGate('broad-launch')];

interface Look {
  readonly atSecs: number;
  readonly gossipSecs: number;
  readonly ackSecs?: number;
  readonly tookMs?: number;
  readonly boot?: string;
}

function sampleOf({ atSecs, gossipSecs, ackSecs = gossipSecs, tookMs = 10, boot = 'a' }: Look): SampleRecord {
  const stored = (uptimeSecs: number) =>
    seen({
      file: `${atSecs}-${uptimeSecs}.json`,
      sha256: 'a'.repeat(64),
      bytes: 2,
      epoch: { boot_id: boot, uptime_secs: uptimeSecs },
    });
  return {
    type: 'sample',
    window: 1,
    scenario: 'baseline',
    phase: 'post',
    node: 'nyc',
    at_wall_ms: atSecs * 1_000,
    at_mono_ms: atSecs * 1_000,
    took_ms: tookMs,
    epoch: { boot_id: boot, uptime_secs: Math.min(gossipSecs, ackSecs) },
    documents: { gossip: stored(gossipSecs), ack: stored(ackSecs) },
    gauges: {},
  };
}

/** Names of the stale documents, sample by sample. */
function staleIn(...looks: readonly Look[]): string[][] {
  const samples = looks.map(sampleOf);
  const found = findStaleDocuments(samples);
  return samples.map((sample) => [...(found.get(sample)?.keys() ?? [])]);
}

describe('a document', () => {
  test('whose uptime advances with the clock lives, whole seconds and slow rounds included', () => {
    expect(
      staleIn(
        { atSecs: 0, gossipSecs: 60 },
        { atSecs: 1.9, gossipSecs: 61, ackSecs: 62 },
        { atSecs: 30, gossipSecs: 90, ackSecs: 93, tookMs: 4_000 },
        { atSecs: 3_600, gossipSecs: 3_659 },
      ),
    ).toEqual([[], [], [], []]);
  });

  test('that is answered again unchanged is stale, in short and in long runs', () => {
    expect(staleIn({ atSecs: 0, gossipSecs: 60 }, { atSecs: 3, gossipSecs: 60 })).toEqual([
      [],
      ['gossip', 'ack'],
    ]);
    const long = staleIn(
      { atSecs: 0, gossipSecs: 60 },
      { atSecs: 36_000, gossipSecs: 36_060 },
      { atSecs: 36_060, gossipSecs: 36_060 },
    );
    expect(long).toEqual([[], [], ['gossip', 'ack']]);
    const oftenRead = staleIn(
      { atSecs: 0, gossipSecs: 60 },
      { atSecs: 2, gossipSecs: 60 },
      { atSecs: 4, gossipSecs: 60 },
    );
    expect(oftenRead).toEqual([[], [], ['gossip', 'ack']]);
  });

  test('that lags behind the others of its round is stale at once', () => {
    expect(staleIn({ atSecs: 0, gossipSecs: 57, ackSecs: 60 })).toEqual([['gossip']]);
  });

  test('that crawls is stale once it is more than a tenth behind', () => {
    const at = (atSecs: number, share: number): Look => ({ atSecs, gossipSecs: 60 + atSecs * share });
    expect(staleIn(at(0, 1), at(1_000, 0.95))).toEqual([[], []]);
    expect(staleIn(at(0, 1), at(1_000, 0.85))).toEqual([[], ['gossip', 'ack']]);
  });

  test('that runs ahead of the clock is no better', () => {
    expect(staleIn({ atSecs: 0, gossipSecs: 60 }, { atSecs: 10, gossipSecs: 90 })).toEqual([
      [],
      ['gossip', 'ack'],
    ]);
  });

  test('of a new process starts over', () => {
    expect(staleIn({ atSecs: 0, gossipSecs: 600 }, { atSecs: 9, gossipSecs: 1, boot: 'b' })).toEqual([
      [],
      [],
    ]);
  });
});

describe('a frozen document', () => {
  const frozen = (isFrozen: (name: string) => boolean): FixtureOverrides => ({
    records: (records) => {
      const first = records.find(
        (record): record is SampleRecord =>
          record.type === 'sample' && record.node === 'nyc' && record.phase === 'pre',
      );
      return records.map((record) =>
        record.type === 'sample' &&
        record.node === 'nyc' &&
        record.phase !== 'schedule' &&
        first !== undefined
          ? {
              ...record,
              documents: Object.fromEntries(
                Object.entries(record.documents).map(([name, document]) => [
                  name,
                  isFrozen(name)
                    ? Object.entries(first.documents).find(([own]) => own === name)?.[1]
                    : document,
                ]),
              ),
            }
          : record,
      );
    },
  });

  test.each(['gossip', 'dm', 'health'])('passes no gate: %s', (name) => {
    for (const gate of gates) {
      const verdict = judge(evidenceOf(frozen((document) => document === name)), gate);
      expect(verdict.overall).toBe('INCONCLUSIVE');
      expect(objectivesThatAre('INCONCLUSIVE', verdict)).toContain('telemetry complete');
      expect(reasonsText(verdict)).toMatch(
        new RegExp(`stale: nyc: ${name} of window \\d \\w+ (pre|post): its uptime is [\\d.]+ s behind`),
      );
      const kinds = verdict.findings.flatMap(({ value }) => ('missing' in value ? [value.missing] : []));
      expect(new Set(kinds)).toEqual(new Set(['stale']));
    }
  });

  test('passes no gate when every document of a node is frozen', () => {
    for (const gate of gates)
      expect(judge(evidenceOf(frozen(() => true)), gate).overall).toBe('INCONCLUSIVE');
  });
});

test('a document that tells another epoch than its record is unreadable', () => {
  for (const gate of gates) {
    const verdict = judge(evidenceOf(figureFrom('nyc', 8, 'dm.uptime_secs', 5)), gate);
    expect(objectivesThatAre('INCONCLUSIVE', verdict)).toEqual(['telemetry complete']);
    expect(reasonsText(verdict)).toContain('its uptime_secs is 5, its record says 128');
  }
});
