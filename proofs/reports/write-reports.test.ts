import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixtureProof, fixtureVerdict } from '../fixture.ts';
import { writeFixtureProof } from '../fixture-directory.ts';
import { readProof } from '../read-proof.ts';
import { writeReports } from './write-reports.ts';

describe('writeReports', () => {
  it('gives the same bytes for the same proof, read twice, and leaves the evidence alone', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'reports-'));
    try {
      await writeFixtureProof(dir, fixtureProof());
      const before = await readdir(dir);
      const written = async () => {
        const proof = await readProof(dir);
        const names = await writeReports(proof, fixtureVerdict(proof));
        return Promise.all(
          names.map(async (name) => [name, await readFile(join(dir, name), 'utf8')] as const),
        );
      };
      const first = await written();
      await writeFile(join(dir, 'summary.md'), 'edited');
      expect(await written()).toEqual(first);
      expect(first.map(([name]) => name)).toEqual([
        'summary.md',
        'summary.csv',
        'summary.json',
        'faults.csv',
        'timeline.csv',
      ]);
      expect((await readdir(dir)).toSorted()).toEqual([...before, ...first.map(([name]) => name)].toSorted());
      await rm(dir, { recursive: true });
      const proof = fixtureProof();
      await expect(writeReports({ ...proof, dir }, fixtureVerdict(proof))).rejects.toMatchObject({
        code: 'REPORT_WRITE_FAILED',
      });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
