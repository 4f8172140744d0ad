import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../kit/clock.ts';
import { sha256Hex } from '../kit/hash.ts';
import { type FixtureOverrides, fixtureProof } from './fixture.ts';
import { writeFixtureProof } from './fixture-directory.ts';
import { JournalWriter } from './journal.ts';
import { encodeLine, genesisOf } from './journal-line.ts';
import { ProofDirectory } from './proof-directory.ts';
import { type Proof, readProof } from './read-proof.ts';

let root: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'read-proof-'));
});
afterAll(() => rm(root, { recursive: true }));

function onDisk(overrides: FixtureOverrides = { windows: 1 }): Promise<Proof> {
  count += 1;
  return writeFixtureProof(join(root, String(count)), fixtureProof(overrides));
}

const GOSSIP = 'windows/001/diagnostics/baseline/ams-post-gossip.json';

describe('readProof', () => {
  it('reads what a run left, documents included', async () => {
    const written = await onDisk({});
    expect(await readProof(written.dir)).toEqual(written);
  });

  it('reads what the journal and the proof directory write', async () => {
    const model = fixtureProof({ windows: 1 });
    const directory = await ProofDirectory.create(join(root, 'written'));
    const { planSha256 } = await directory.writePlan(model.plan);
    await directory.writeGate(model.gateText);
    const clock = new VirtualClock(5);
    await using journal = await JournalWriter.create(directory.journalPath, {
      runId: model.plan.run_id,
      clock,
    });
    await journal.append({ type: 'plan_sealed', plan: model.plan, plan_sha256: planSha256 });
    const proof = await readProof(directory.dir);
    expect(proof).toMatchObject({ plan: model.plan, planSha256: model.planSha256, gateText: model.gateText });
  });

  it.each([
    ['removed', (path: string) => rm(path), 'is not there any more'],
    ['changed', (path: string) => writeFile(path, '{"ok":true}'), 'changed since it was recorded'],
    ['appended to', (path: string) => appendFile(path, ' '), 'changed since it was recorded'],
  ])('takes a document that was %s for unreadable and says why', async (_, harm, why) => {
    const { dir } = await onDisk();
    await harm(join(dir, GOSSIP));
    const { documents } = await readProof(dir);
    expect(documents.get(GOSSIP)).toEqual({
      missing: 'unreadable',
      why: expect.stringMatching(new RegExp(`^${GOSSIP}: ${why}`)),
    });
    expect([...documents.values()].filter((observed) => 'missing' in observed)).toHaveLength(1);
  });

  it('takes a document that never was JSON for unreadable', async () => {
    const rawText = '<html>502 Bad Gateway</html>';
    const written = await onDisk({
      windows: 1,
      records: (records) => records.map((record) => withGossip(record, { sha256: sha256Hex(rawText) })),
    });
    await writeFile(join(written.dir, GOSSIP), rawText);
    expect((await readProof(written.dir)).documents.get(GOSSIP)).toMatchObject({
      missing: 'unreadable',
      why: expect.stringContaining('not valid JSON'),
    });
  });

  it.each(['../outside.json', '/etc/hostname', 'windows/../../x.json'])(
    'never follows a recorded path out of the proof: %s',
    async (file) => {
      const written = await onDisk({
        windows: 1,
        records: (records) => records.map((record) => withGossip(record, { file })),
      });
      expect((await readProof(written.dir)).documents.get(file)).toEqual({
        missing: 'unreadable',
        why: `${file}: lies outside the proof directory`,
      });
    },
  );

  it('trusts neither of two records that give one file different digests', async () => {
    const written = await onDisk({
      windows: 1,
      records: (records) => [
        ...records,
        ...records.map((record) => withGossip(record, { sha256: 'a'.repeat(64) })),
      ],
    });
    const { documents } = await readProof(written.dir);
    expect(documents.get(GOSSIP)).toEqual({
      missing: 'unreadable',
      why: `${GOSSIP}: two records give different digests`,
    });
  });

  it('names both digests when the plan was changed', async () => {
    const { dir, planSha256 } = await onDisk();
    const path = join(dir, 'plan.json');
    const text = (await readFile(path, 'utf8')).replace('"count": 1', '"count": 2');
    await writeFile(path, text);
    const error = await readProof(dir).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'PLAN_CHANGED',
      details: { sealed_sha256: planSha256, actual_sha256: sha256Hex(text) },
    });
    expect(String(error)).toContain(planSha256);
    expect(String(error)).toContain(sha256Hex(text));
  });

  it('refuses a journal whose sealed plan is not the plan that its digest names', async () => {
    const { dir } = await onDisk({
      windows: 1,
      records: (records) =>
        records.map((record) =>
          record.type === 'plan_sealed' ? { ...record, plan: { ...record.plan, seed: 8 } } : record,
        ),
    });
    await expect(readProof(dir)).rejects.toMatchObject({ code: 'PLAN_CHANGED' });
  });

  it.each([
    ['plan.json', 'PLAN_MISSING'],
    ['gate.toml', 'GATE_MISSING'],
  ])('names %s when it is gone', async (file, code) => {
    const { dir } = await onDisk();
    await rm(join(dir, file));
    await expect(readProof(dir)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(join(dir, file)),
    });
  });

  it('names the gate when it was changed', async () => {
    const { dir } = await onDisk();
    await writeFile(join(dir, 'gate.toml'), 'name = "kinder"\n');
    await expect(readProof(dir)).rejects.toMatchObject({ code: 'GATE_CHANGED' });
  });

  it('refuses a run that died before it sealed a plan', async () => {
    const { dir } = await onDisk({ windows: 1, records: (records) => records.slice(0, 1) });
    await expect(readProof(dir)).rejects.toMatchObject({ code: 'PLAN_MISSING' });
  });

  it('refuses a journal that is chained to another run than its plan', async () => {
    const proof = fixtureProof({ windows: 1, records: (records) => records.slice(1, 2) });
    const written = await writeFixtureProof(join(root, 'other-run'), proof);
    const [record] = proof.records;
    if (!record) throw new Error('the fixture has no plan');
    const { line } = encodeLine({ seq: 1, at_wall_ms: 0, prev: genesisOf('another'), record });
    await writeFile(join(written.dir, 'journal.ndjson'), line);
    await expect(readProof(written.dir)).rejects.toMatchObject({
      code: 'JOURNAL_BROKEN',
      details: { what: 'prev' },
    });
  });

  it('reports a torn journal and keeps what is before it', async () => {
    const written = await onDisk();
    const path = join(written.dir, 'journal.ndjson');
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, bytes.length - 10));
    const { entries, torn } = await readProof(written.dir);
    expect(entries).toEqual(written.entries.slice(0, -1));
    expect(torn).toEqual({ line: written.entries.length, bytes: expect.any(Number) });
  });

  it.each(['', 'nowhere'])('says what is not a proof: %j', async (below) => {
    count += 1;
    const dir = join(await mkdtemp(join(root, 'empty-')), below);
    await expect(readProof(dir)).rejects.toMatchObject({
      code: 'NOT_A_PROOF',
      message: expect.stringContaining(dir),
    });
  });
});

type Records = Proof['records'][number];

/** The record with its stored gossip document of ams (post) changed; every other record as it is. */
function withGossip(record: Records, change: { file?: string; sha256?: string }): Records {
  if (record.type !== 'sample' || record.node !== 'ams' || record.scenario !== 'baseline') return record;
  if (record.phase !== 'post') return record;
  const gossip = record.documents.gossip;
  if (!gossip || !('seen' in gossip)) return record;
  return { ...record, documents: { ...record.documents, gossip: { seen: { ...gossip.seen, ...change } } } };
}
