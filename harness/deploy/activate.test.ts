import { expect, it } from 'vitest';
import { wordsOfLine } from './activate.ts';

it.each([
  ['bad option --x', 'bad option --x'],
  ['{"level":40,"msg":"stopping","why":"SIGTERM","pid":1}', 'stopping: SIGTERM'],
  ['{"level":40,"msg":"event stream ended"}', 'event stream ended'],
  ['{"level":40}', '{"level":40}'],
  ['x'.repeat(500), 'x'.repeat(160)],
])('says a line of the journal %s as a person would read it', (line, words) => {
  expect(wordsOfLine(line)).toBe(words);
});
