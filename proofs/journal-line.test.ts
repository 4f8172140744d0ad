import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decodeLine, encodeLine, genesisOf } from './journal-line.ts';

const GOLDEN =
  '{"seq":1,"at_wall_ms":1760000000000,"prev":"bd77b1472ae54fc27c684ad2d07796434606dd2b138c7884f129aeec9c4c6dd2","record":{"type":"run_interrupted","signal":"SIGINT → \\"now\\""},"hash":"a92f45084cb77210e4b8e644aa30ed3557e78e92929e6ffeea1b026cc344debf"}';

describe('the journal line', () => {
  it('has these exact bytes', () => {
    const { line, entry } = encodeLine({
      seq: 1,
      at_wall_ms: 1_760_000_000_000,
      prev: genesisOf('2026-run'),
      record: { type: 'run_interrupted', signal: 'SIGINT → "now"' },
    });
    expect(line.toString('utf8')).toBe(`${GOLDEN}\n`);
    expect(decodeLine('journal', 1, genesisOf('2026-run'), Buffer.from(GOLDEN))).toEqual(entry);
  });

  it('can be checked with nothing but SHA-256 and string surgery', () => {
    const body = GOLDEN.replace(/,"hash":"[0-9a-f]{64}"\}$/, '}');
    expect(createHash('sha256').update(body).digest('hex')).toBe(GOLDEN.slice(-66, -2));
    expect(createHash('sha256').update('meshproof.journal.v1\n2026-run').digest('hex')).toBe(
      genesisOf('2026-run'),
    );
  });

  it('refuses a record of no known type even when its hash is right', () => {
    const body = `{"seq":1,"at_wall_ms":0,"prev":"${'0'.repeat(64)}","record":{"type":"rumour"}}`;
    const hash = createHash('sha256').update(body).digest('hex');
    const line = Buffer.from(`${body.slice(0, -1)},"hash":"${hash}"}`);
    expect(() => decodeLine('j', 1, null, line)).toThrow(/^j:1: schema: record/);
  });
});
