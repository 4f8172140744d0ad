import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildBundleFiles } from './bundle-files.ts';

const LARGEST_FAULT_PROGRAM_BYTES = 300_000; // 195 kB; every command and every renewal on a host loads it

describe('the bundle', () => {
  it('holds no libraries by the whole: the fault program is small, and no program speaks all the languages of zod', async () => {
    const { files } = await buildBundleFiles(join(import.meta.dirname, '../..'));
    const bytesOf = (program: string) => files.find(({ name }) => name === program)?.contents.length;
    expect(bytesOf('faults.js')).toBeLessThan(LARGEST_FAULT_PROGRAM_BYTES);
    const dutch = files.filter(({ contents }) => Buffer.from(contents).includes('Ongeldige invoer'));
    expect(dutch.map(({ name }) => name)).toEqual([]);
  });
});
