import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readProof } from '../../proofs/read-proof.ts';
import { MeshproofProcess } from '../meshproof-process.ts';
import { meshproof } from '../short-command.ts';

let run: MeshproofProcess;
let copies: string;
let exitCode: number | null;

beforeAll(async () => {
  copies = await mkdtemp(join(tmpdir(), 'meshproof-copies-'));
  run = await MeshproofProcess.start(
    'run',
    '--local',
    '6',
    '--gate',
    'broad-launch',
    '--burst-messages',
    '50',
  );
  exitCode = await run.exit();
}, 120_000);
afterAll(async () => {
  await run[Symbol.asyncDispose]();
  await rm(copies, { recursive: true, force: true });
});

async function copyOfProof(name: string): Promise<string> {
  const copy = join(copies, name);
  await cp(run.proofDir, copy, { recursive: true });
  return copy;
}

describe.concurrent('a healthy mesh of six', () => {
  it('is a GO with exit 0, every pair on the planned path at its first attempt', async () => {
    expect(exitCode, run.told()).toBe(0);
    const { records } = await readProof(run.proofDir);
    const pairs = records.filter((record) => record.type === 'pair_outcome');
    expect(pairs).toHaveLength(30);
    for (const pair of pairs) {
      expect(pair).toMatchObject({
        received: true,
        path: 'raw_quic_acked',
        attempts: 1,
        duplicates: 0,
        failure: null,
      });
    }
    const deliveries = records.filter((record) => record.type === 'burst_delivery');
    expect(deliveries.map(({ delivered }) => delivered)).toEqual([50, 50, 50, 50, 50, 50]);
  });

  it('leaves every file of evidence', async () => {
    const files = await readdir(run.proofDir);
    expect(files).toEqual(
      expect.arrayContaining([
        'journal.ndjson',
        'plan.json',
        'gate.toml',
        'summary.md',
        'summary.csv',
        'summary.json',
        'faults.csv',
        'timeline.csv',
        'windows',
      ]),
    );
  });

  it('is judged the same again from its files alone', async () => {
    const { code, stdout } = await meshproof('gate', 'check', run.proofDir, '--json');
    expect(code).toBe(0);
    const recorded = (await readProof(run.proofDir)).records.find((record) => record.type === 'judged');
    expect(JSON.parse(stdout)).toEqual(recorded?.verdict);
  });

  it('is printed by proof show with its verdict and its pairs', async () => {
    const { code, stdout } = await meshproof('proof', 'show', run.proofDir);
    expect(code).toBe(0);
    expect(stdout).toMatch(/GO/);
    expect(stdout).toMatch(/30\/30/);
  });
});

describe.concurrent('a proof that was tampered with', () => {
  it('is INCONCLUSIVE naming node and document when a raw sample is gone', async () => {
    const copy = await copyOfProof('gone');
    const { documents } = await readProof(copy);
    const file = [...documents.keys()].find((name) => /node2.*post.*gossip/.test(name));
    await rm(join(copy, file ?? 'no such document'));
    const { code, stdout } = await meshproof('gate', 'check', copy);
    expect(code).toBe(2);
    expect(stdout).toMatch(/INCONCLUSIVE/);
    expect(stdout).toMatch(/node2/);
  });

  it('is INCONCLUSIVE when a raw sample was edited', async () => {
    const copy = await copyOfProof('edited');
    const { documents } = await readProof(copy);
    const file = join(copy, [...documents.keys()].find((name) => /node3.*post.*gossip/.test(name)) ?? 'none');
    await writeFile(file, (await readFile(file, 'utf8')).replace('"ok":true', '"ok": true'));
    const { code } = await meshproof('gate', 'check', copy);
    expect(code).toBe(2);
  });

  it('is INCONCLUSIVE when the end of the journal was cut off between two records', async () => {
    const copy = await copyOfProof('cut');
    const path = join(copy, 'journal.ndjson');
    const lines = (await readFile(path, 'utf8')).split('\n');
    const last = lines.findLastIndex((line) => line.includes('"window_finished"'));
    await writeFile(path, `${lines.slice(0, last + 1).join('\n')}\n`);
    const { code, stdout } = await meshproof('gate', 'check', copy);
    expect(code).toBe(2);
    expect(stdout).toMatch(/journal ends before the evidence was closed/);
  });

  it('is refused by name when a byte of the journal was flipped', async () => {
    const copy = await copyOfProof('flipped');
    const path = join(copy, 'journal.ndjson');
    const bytes = await readFile(path);
    const at = Math.floor(bytes.length / 2);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(path, bytes);
    const { code, stderr } = await meshproof('gate', 'check', copy);
    expect(stderr).toMatch(/JOURNAL_BROKEN/);
    expect(code).toBe(5);
  });

  it('is refused by name when the plan or the gate was changed', async () => {
    const copy = await copyOfProof('plan');
    const plan = join(copy, 'plan.json');
    await writeFile(plan, (await readFile(plan, 'utf8')).replace('"node6"', '"node7"'));
    expect(await meshproof('gate', 'check', copy)).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/PLAN_CHANGED/),
    });

    const other = await copyOfProof('gate');
    const gate = join(other, 'gate.toml');
    await writeFile(gate, `${await readFile(gate, 'utf8')}\n# softer\n`);
    expect(await meshproof('gate', 'check', other)).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/GATE_CHANGED/),
    });
  });
});
