import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type EvidenceRecord, VERDICTS } from '../proofs/evidence.ts';
import type { Evidence } from './evidence-index.ts';
import { judge } from './judge.ts';
import { changed, evidenceOf, figureFrom, shippedGate, without } from './planted-defects.ts';

const gates = [shippedGate('limited-production'), shippedGate('broad-launch')];

/** Records that no objective needs: what they say is not a condition of any GO. */
const OPTIONAL: ReadonlySet<EvidenceRecord['type']> = new Set([
  'run_started',
  'mesh_ready',
  'run_finished',
  'judged',
]);

const rank = (evidence: Evidence) => gates.map((gate) => VERDICTS.indexOf(judge(evidence, gate).overall));

const notGo: readonly Evidence[] = [
  evidenceOf(without((record) => record.type === 'sample' && record.node === 'nyc')),
  evidenceOf(figureFrom('nyc', 2, 'gossip.recv_pump.pubsub.dropped_full', 3)),
  evidenceOf(
    changed(
      'scenario_finished',
      ({ window }) => window === 2,
      (r) => ({ ...r, outcome: 'not_run' }),
    ),
  ),
  evidenceOf(
    changed(
      'burst_delivery',
      ({ window }) => window === 1,
      (r) => ({ ...r, delivered: 3 }),
    ),
  ),
];

describe('the judge', () => {
  test('leaves no GO when any one required record of a healthy run is gone', () => {
    const healthy = evidenceOf();
    for (const [at, record] of healthy.records.entries()) {
      const less = { ...healthy, records: healthy.records.toSpliced(at, 1) };
      const isGo = rank(less).map((word) => word === 0);
      expect({ type: record.type, isGo }).toEqual({
        type: record.type,
        isGo: gates.map(() => OPTIONAL.has(record.type)),
      });
    }
  });

  test('leaves no GO when any one document of a healthy run is gone', () => {
    const healthy = evidenceOf();
    for (const file of healthy.documents.keys()) {
      const documents = new Map(healthy.documents);
      documents.delete(file);
      expect({ file, rank: rank({ ...healthy, documents }) }).toEqual({ file, rank: [1, 1] });
    }
  });

  test('never turns a run that is not GO into a GO by losing a document or an observation', () => {
    fc.assert(
      fc.property(fc.constantFrom(...notGo), fc.nat(), (evidence, at) => {
        const documents = new Map(evidence.documents);
        const files = [...documents.keys()];
        documents.delete(files[at % files.length] ?? '');
        for (const word of rank({ ...evidence, documents })) expect(word).toBeGreaterThan(0);
        const samples = evidence.records.filter((record) => record.type === 'sample');
        const gone = samples[at % samples.length];
        const records = evidence.records.filter((record) => record !== gone);
        for (const word of rank({ ...evidence, records })) expect(word).toBeGreaterThan(0);
      }),
      { numRuns: 40 },
    );
  });

  test('gives the same verdict for the same evidence, and changes nothing in it', () => {
    for (const evidence of [evidenceOf(), ...notGo]) {
      const before = JSON.stringify(evidence.records);
      for (const gate of gates) expect(judge(evidence, gate)).toEqual(judge(structuredClone(evidence), gate));
      expect(JSON.stringify(evidence.records)).toBe(before);
    }
  });

  test('does not depend on the order of samples and outcomes, which says nothing', () => {
    const free: ReadonlySet<EvidenceRecord['type']> = new Set([
      'sample',
      'pair_outcome',
      'burst_delivery',
      'scenario_started',
      'scenario_finished',
    ]);
    const cases = [evidenceOf(), ...notGo];
    fc.assert(
      fc.property(fc.constantFrom(...cases), fc.infiniteStream(fc.nat()), (evidence, keys) => {
        const moved = evidence.records
          .filter((record) => free.has(record.type))
          .map((record) => ({ record, key: keys.next().value ?? 0 }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ record }) => record);
        const records = evidence.records.map((record) =>
          free.has(record.type) ? (moved.pop() ?? record) : record,
        );
        const documents = new Map([...evidence.documents].toReversed());
        for (const gate of gates) {
          expect(judge({ ...evidence, records, documents }, gate)).toEqual(judge(evidence, gate));
        }
      }),
      { numRuns: 30 },
    );
  });
});
