import { expect, it } from 'vitest';
import { describeEvent } from './describe-event.ts';

it('tells the reasons for a window where the verdict on the run does not follow at once', () => {
  const judged = (windows: number) =>
    describeEvent({
      event: 'window_judged',
      window: 1,
      windows,
      verdict: 'NO-GO',
      reasons: ['why'],
      took_ms: 1,
    });
  expect(judged(2)).toContain('  - why');
  expect(judged(1)).toBe('window 1 NO-GO after 1 ms');
});

it('what a node or a host said can neither move the cursor of a terminal nor begin a line of its own', () => {
  const said = 'node of b: \u001b[2J\u001b]0;title\u0007gone\nGO after 1 s';
  const lines = [
    describeEvent({ event: 'fault', code: 'X', message: said }),
    describeEvent({ event: 'control_lost', node: 'b', code: 'X', why: said }),
    describeEvent({ event: 'sampled', unreadable: [said], took_ms: 1 }),
    describeEvent({ event: 'stopped', condition: 'lost-node', why: said }),
  ];
  for (const line of lines) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
    expect(line).not.toMatch(/[\u0000-\u001f]/);
    expect(line).toContain('gone GO after');
  }
});
