import { expect, it } from 'vitest';
import { judge } from '../../gates/judge.ts';
import { parseGate } from '../../gates/parse-gate.ts';
import { DOCUMENT_NAMES, type DocumentName, type StoredDocument } from '../../proofs/evidence.ts';
import { type Observation, seen } from '../../proofs/observation.ts';
import { fixturePlan } from './fixture-plan.ts';
import { RunLedger } from './run-ledger.ts';

const WINDOWS = 1_000;
const NODES = ['a', 'b'];
const GATE = parseGate(
  `name = "mine"
description = "d"
[[objective]]
name = "no drop"
metric = "gossip.recv_pump.pubsub.dropped_full"
scope = "window"
measure = "delta"
limit = { max = 0 }
why = "w"
`,
  'mine.toml',
);
const PLAN = fixturePlan({
  scenarios: [{ name: 'baseline', options: {} }],
  soak: { durationMs: WINDOWS, intervalMs: 1 },
});

/** One window of a soak in which node a drops a message between windows 3 and 4, and none else ever. */
async function runWindow(ledger: RunLedger, window: number): Promise<void> {
  const at = { window, scenario: 'baseline' };
  await ledger.record({ type: 'window_started', window, planned_offset_ms: 0, late_ms: 0 });
  await ledger.record({ type: 'scenario_started', ...at, options: {} });
  for (const phase of ['pre', 'post'] as const) {
    const monoMs = window * 10 + (phase === 'pre' ? 0 : 5);
    for (const node of NODES) {
      const epoch = { boot_id: node, uptime_secs: monoMs / 1_000 };
      const dropped = node === 'a' && window >= 4 ? 1 : 0;
      const body = { ok: true, ...epoch, recv_pump: { pubsub: { dropped_full: dropped } } };
      const documents: Partial<Record<DocumentName, Observation<StoredDocument>>> = {};
      for (const document of DOCUMENT_NAMES) {
        const stored = { ...at, phase, node, document, rawText: '', epoch, body };
        documents[document] = seen(await ledger.storeDocument(stored));
      }
      await ledger.record({
        type: 'sample',
        ...at,
        phase,
        node,
        at_wall_ms: monoMs,
        at_mono_ms: monoMs,
        took_ms: 1,
        epoch,
        documents,
        gauges: {},
      });
    }
  }
  await ledger.record({ type: 'scenario_finished', ...at, outcome: 'ran', why: null, took_ms: 1 });
  const clean = { results: 1, forged: 0, lost: 0, doubled: 0, malformed: 0, reconnects: 0, restarts: 0 };
  for (const node of NODES) await ledger.record({ type: 'control_tally', window, node, ...clean });
  await ledger.record({ type: 'window_finished', window, outcome: 'ran', why: null, took_ms: 1 });
}

it('a thousand windows are kept and judged like two, each against the end of the one before', async () => {
  let stored = 0;
  const ledger = new RunLedger({
    journal: { append: async (record) => ({ seq: 1, at_wall_ms: 0, prev: '', record, hash: '' }) },
    directory: {
      storeDocument: async ({ epoch }) => {
        stored += 1;
        return { file: `${stored}`, sha256: 'a'.repeat(64), bytes: 0, epoch };
      },
    },
  });
  const sizes: { records: number; documents: number; findings: number }[] = [];
  const broken: number[] = [];
  for (let window = 1; window <= WINDOWS; window += 1) {
    await runWindow(ledger, window);
    const evidence = ledger.evidenceOf(PLAN, window);
    const { windows, findings } = judge(evidence, GATE);
    expect(windows).toHaveLength(1);
    expect(windows[0]?.window).toBe(window);
    if (windows[0]?.verdict !== 'GO') broken.push(window);
    const { records, documents } = evidence;
    sizes.push({ records: records.length, documents: documents.size, findings: findings.length });
  }
  expect(broken).toEqual([4]);
  expect(sizes.at(-1)).toEqual(sizes[1]);
});
