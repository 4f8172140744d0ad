import { expect, it } from 'vitest';
import { readProof } from '../../proofs/read-proof.ts';
import { MeshproofProcess } from '../meshproof-process.ts';

it('a run whose commands and results travel over the mesh itself is a GO as well', async () => {
  await using run = await MeshproofProcess.start(
    'run',
    '--local',
    '3',
    '--control',
    'mesh',
    '--anchor',
    'node2',
    '--gate',
    'broad-launch',
    '--burst-messages',
    '20',
  );
  expect(await run.exit(), run.told()).toBe(0);
  const { plan, records } = await readProof(run.proofDir);
  expect(plan).toMatchObject({ control: 'mesh', anchor: 'node2' });
  expect(records.filter(({ type }) => type === 'pair_outcome')).toHaveLength(6);
});
