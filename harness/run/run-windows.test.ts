import { describe, expect, it } from 'vitest';
import { realClock } from '../../kit/clock.ts';
import { FaultError } from '../../kit/errors.ts';
import type { EvidenceRecord } from '../../proofs/evidence.ts';
import type { ProgressEvent } from '../progress/progress.ts';
import { makePlan } from './make-plan.ts';
import { runWindows, type WindowsModules } from './run-windows.ts';

const INTERVAL_MS = 40;

/** A soak of five windows without a scenario, on no host, where writing the start of a window takes `startMs`. */
function soak(startMs: number, record: (record: EvidenceRecord) => Promise<void>) {
  const plan = makePlan(
    {
      command: [],
      nodes: ['a', 'b'].map((name) => ({ name, region: null })),
      anchor: 'a',
      control: 'loopback',
      expectPath: 'raw_quic_acked',
      scenarios: [],
      soak: { durationMs: INTERVAL_MS * 5, intervalMs: INTERVAL_MS },
      gate: 'g',
      proofDir: null,
      seed: 1,
      discoverMs: 1,
      telemetryEveryMs: 1_000,
    },
    {
      runId: 'r',
      createdWallMs: 0,
      seed: 1,
      network: 'n',
      gate: { name: 'g', sha256: 'a'.repeat(64) },
      bundleSha256: 'b'.repeat(64),
    },
  );
  const events: ProgressEvent[] = [];
  const modules = {
    plan,
    ledger: {
      record: async (entry: EvidenceRecord) => {
        if (entry.type === 'window_started') await realClock.sleep(startMs);
        await record(entry);
      },
      storeDocument: () => Promise.reject(new Error('no document')),
    },
    progress: { show: (event: ProgressEvent) => events.push(event), close: () => {} },
    hosts: [],
    channel: {} as WindowsModules['channel'], // no scenario uses it
    identities: new Map(),
    judgeWindow: () => ({
      gate: 'g',
      gate_sha256: 'a'.repeat(64),
      overall: 'GO',
      windows: [],
      reasons: [],
      findings: [],
    }),
    giveUp: () => {},
  } satisfies WindowsModules;
  return { modules, events };
}

describe('the windows of a soak', () => {
  it('that take longer than their interval leave missed ones on record, each with its reason', async () => {
    const finished: string[] = [];
    const { modules, events } = soak(INTERVAL_MS * 2.5, async (entry) => {
      if (entry.type === 'window_finished') finished.push(`${entry.window} ${entry.outcome}`);
      if (entry.type === 'window_finished' && entry.outcome === 'missed')
        expect(entry.why).toMatch(/its slot/);
    });
    await runWindows(modules, new AbortController().signal);
    expect(finished.map((text) => text.split(' ')[0])).toEqual(['1', '2', '3', '4', '5']);
    expect(finished[0]).toBe('1 ran');
    expect(finished).toContain('2 missed');
    expect(events.filter(({ event }) => event === 'window_missed').length).toBe(
      finished.filter((text) => text.endsWith('missed')).length,
    );
  });

  it('end with the fault when a record cannot be written', async () => {
    const full = new FaultError('JOURNAL_WRITE_FAILED', 'no space left on device');
    const { modules } = soak(0, (entry) =>
      entry.type === 'window_started' ? Promise.reject(full) : Promise.resolve(),
    );
    await expect(runWindows(modules, new AbortController().signal)).rejects.toBe(full);
  });
});
