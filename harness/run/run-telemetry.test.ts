import { describe, expect, it } from 'vitest';
import { realClock } from '../../kit/clock.ts';
import { until } from '../../kit/deadline.ts';
import { FaultError } from '../../kit/errors.ts';
import type { EvidenceRecord, SampleRecord } from '../../proofs/evidence.ts';
import type { MeshHost } from '../fleet/mesh-host.ts';
import { RunTelemetry } from './run-telemetry.ts';

const EVERY_MS = 100;

type Document = MeshHost['node']['document'];

function hostOf(name: string, document: Document): MeshHost {
  const endpoint = { baseUrl: 'http://127.0.0.1:1', token: '' };
  const node = { document } as MeshHost['node'];
  const udpPortBound = async () => ({ seen: true });
  return {
    name,
    region: null,
    node,
    api: endpoint,
    runner: endpoint,
    udpAddress: '127.0.0.1:1',
    udpPortBound,
  };
}

const answers = (async () => {
  const body = { ok: true, boot_id: 'b', uptime_secs: 1 };
  return { text: JSON.stringify(body), body };
}) as unknown as Document;

/** Answers nothing until the caller's own deadline. */
const hangs: Document = async (_name, options) => {
  await realClock.sleep(options?.timeoutMs ?? 60_000, options?.signal);
  throw new FaultError('NODE_TIMEOUT', 'no answer');
};

function telemetryOf(hosts: readonly MeshHost[], record: (record: EvidenceRecord) => Promise<void>) {
  const ledger = { record, storeDocument: async () => Promise.reject(new Error('not in a schedule')) };
  const progress = { show: () => {}, close: () => {} };
  return new RunTelemetry({ everyMs: EVERY_MS, deadlineMs: EVERY_MS * 0.8 }, { hosts, ledger, progress });
}

describe('the telemetry schedule', () => {
  it('keeps its cadence while a node hangs, and says which documents of it were not seen', async () => {
    const samples: SampleRecord[] = [];
    const record = async (entry: EvidenceRecord) => {
      if (entry.type === 'sample') samples.push(entry);
    };
    const end = new AbortController();
    const telemetry = telemetryOf([hostOf('good', answers), hostOf('stuck', hangs)], record);
    const startedMs = realClock.nowMs();
    const schedule = telemetry.followSchedule(() => ({ window: 1, scenario: null }), end.signal);
    await until('five rounds', () => (samples.length >= 10 ? true : undefined), {
      budgetMs: 20_000,
      everyMs: 5,
    });
    end.abort();
    await schedule;

    const stuck = samples.filter(({ node }) => node === 'stuck');
    for (const sample of stuck) expect(sample.documents.gossip).toMatchObject({ missing: 'unreadable' });
    for (const { documents } of samples.filter(({ node }) => node === 'good')) expect(documents).toEqual({});
    const phases = stuck.map(({ at_mono_ms }) => (at_mono_ms - startedMs) / EVERY_MS);
    // Never before its slot, so nothing piles up after a late one; a timer may fire a little early.
    for (const [index, phase] of phases.entries()) expect(phase).toBeGreaterThanOrEqual(index - 0.1);
  });

  it('says which rounds it skipped, so that rounds and skips together are the schedule', async () => {
    const records: EvidenceRecord[] = [];
    const record = async (entry: EvidenceRecord) => {
      if (records.length === 1) await realClock.sleep(EVERY_MS * 3.5); // the disk or this machine was busy
      records.push(entry);
    };
    const end = new AbortController();
    const startedMs = realClock.nowMs();
    const telemetry = telemetryOf([hostOf('good', answers)], record);
    const schedule = telemetry.followSchedule(() => ({ window: 2, scenario: null }), end.signal);
    const isSkip = (entry: EvidenceRecord) => entry.type === 'telemetry_skipped';
    const sampledSince = () => records.slice(records.findIndex(isSkip) + 1).filter((entry) => !isSkip(entry));
    const goesOn = () => (records.some(isSkip) && sampledSince().length >= 2) || undefined;
    await until('two rounds after the skipped ones', goesOn, { budgetMs: 20_000, everyMs: 5 });
    end.abort();
    await schedule;
    expect(records.find(isSkip)).toMatchObject({ window: 2, why: expect.stringMatching(/was due/) });
    let slots = 0;
    for (const entry of records) {
      if (entry.type === 'telemetry_skipped') {
        const lateMs = Number(/ended (\d+) ms after/.exec(entry.why)?.[1]);
        expect(entry.rounds).toBeLessThan((lateMs + 1) / EVERY_MS); // the reason gives whole milliseconds
        expect(entry.rounds).toBeGreaterThan((lateMs - 1) / EVERY_MS - 1);
        slots += entry.rounds;
      } else if (entry.type === 'sample') {
        // Never before its slot: no round is told as skipped that was still to come.
        expect((entry.at_mono_ms - startedMs) / EVERY_MS).toBeGreaterThanOrEqual(slots - 0.1);
        slots += 1;
      }
    }
  });

  it('ends with the reason when a sample cannot be written', async () => {
    const full = new FaultError('JOURNAL_WRITE_FAILED', 'no space left on device');
    const telemetry = telemetryOf([hostOf('good', answers)], () => Promise.reject(full));
    const at = () => ({ window: null, scenario: null });
    await expect(telemetry.followSchedule(at, new AbortController().signal)).rejects.toBe(full);
  });

  it('is quiet when it is told to end in the middle of a round', async () => {
    const end = new AbortController();
    const telemetry = telemetryOf([hostOf('stuck', hangs)], async () => {});
    const schedule = telemetry.followSchedule(() => ({ window: null, scenario: null }), end.signal);
    setImmediate(() => end.abort());
    await expect(schedule).resolves.toBeUndefined();
  });
});
