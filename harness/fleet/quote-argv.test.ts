import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quoteArgv } from './quote-argv.ts';

const BATCH = 20;
const argument = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.string({ unit: fc.constantFrom(...`'"\\$\`!;&|<>(){}[]*?~#=%^\n\t \r`), maxLength: 12 }),
  )
  .filter((text) => !text.includes('\0'));

test('a shell splits what was quoted into the same arguments again', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(argument, { maxLength: 6 }), { minLength: BATCH, maxLength: BATCH }),
      (argvs) => {
        const script = argvs.map((argv) => `${quoteArgv(['printf', '%s\\0', ...argv, 'end'])}`).join('\n');
        const said = execFileSync('sh', { input: script });
        const expected = argvs
          .flatMap((argv) => [...argv, 'end'])
          .map((text) => `${text}\0`)
          .join('');
        expect(said.equals(Buffer.from(expected))).toBe(true);
      },
    ),
    { numRuns: 25 },
  );
});

test('plain words stay readable, everything else stands in single quotes', () => {
  expect(quoteArgv(['ls', '-l', '/a/b-c_1.txt', 'a b', "it's", ''])).toBe(
    `ls -l /a/b-c_1.txt 'a b' 'it'\\''s' ''`,
  );
});

test('a NUL cannot be passed', () => {
  expect(() => quoteArgv(['a\0b'])).toThrow(RangeError);
});
