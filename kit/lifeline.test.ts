import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { until } from './deadline.ts';
import { LIFELINE_FD, onParentGone } from './lifeline.ts';

const source = JSON.stringify(new URL('./lifeline.ts', import.meta.url).href);
const CHILD = `
  import { onParentGone } from ${source};
  onParentGone(() => { console.log('orphaned'); process.exit(0); });
  setInterval(() => {}, 1_000);
  console.log('up ' + process.pid);`;
const started: number[] = [];
afterEach(() => {
  for (const pid of started.splice(0)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {} // it ended by itself, as it should
  }
});

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('a child notices that its parent was killed, however hard', async () => {
  const parent = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `import { spawn } from 'node:child_process';
       const child = spawn(process.execPath, ['--input-type=module', '--eval', ${JSON.stringify(CHILD)}], {
         stdio: ['ignore', 'pipe', 'inherit', 'pipe'], env: { ...process.env, ${LIFELINE_FD}: '3' } });
       child.stdout.pipe(process.stdout);
       setInterval(() => {}, 1_000);`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  if (parent.pid) started.push(parent.pid);
  let output = '';
  parent.stdout.on('data', (chunk) => {
    output += String(chunk);
  });
  const pid = await until('the child', () => /up (\d+)/.exec(output)?.[1], { budgetMs: 10_000 }).then(Number);
  started.push(pid);
  expect(isAlive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  await until('the end of the child', () => (isAlive(pid) ? undefined : true), { budgetMs: 10_000 });
});

test.each([undefined, '', 'x', '1', '-3'])(
  'without a usable lifeline (%j) nothing is listened to',
  (value) => {
    const before = process.env[LIFELINE_FD];
    if (value === undefined) delete process.env[LIFELINE_FD];
    else process.env[LIFELINE_FD] = value;
    const letGo = onParentGone(() => expect.unreachable('a process without a parent has lost it'));
    letGo();
    if (before === undefined) delete process.env[LIFELINE_FD];
    else process.env[LIFELINE_FD] = before;
  },
);
