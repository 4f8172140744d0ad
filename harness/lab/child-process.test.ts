import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { MeshChild } from './child-process.ts';

const never = new AbortController().signal;
let home: string;
const children: MeshChild[] = [];

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'meshproof-child-'));
});
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.stop(0)));
});
afterAll(() => rm(home, { recursive: true, force: true }));

async function child(program: string): Promise<MeshChild> {
  const file = join(home, `${children.length}-${Date.now()}.mjs`);
  await writeFile(file, program);
  const started = new MeshChild('node of node1', [file]);
  children.push(started);
  return started;
}

const LISTENS = `process.stdout.write('listening\\n'); setInterval(() => {}, 1_000);`;

describe('a program of the mesh', () => {
  it('is listening when its first line is whole, even if it comes in pieces', async () => {
    const piecemeal = await child(
      `process.stdout.write('listen'); setTimeout(() => process.stdout.write('ing on 1\\nmore\\n'), 20); setInterval(() => {}, 1_000);`,
    );
    expect(await piecemeal.listening(5_000, never)).toBe('listening on 1');
  });

  it('that dies at start is told with its last words', async () => {
    const dying = await child(`process.stderr.write('warming up\\nno disk left'); process.exitCode = 5;`);
    await expect(dying.listening(5_000, never)).rejects.toMatchObject({
      code: 'CHILD_NOT_LISTENING',
      message: 'node of node1 ended before it was listening: no disk left',
      details: { code: 5, last_words: ['warming up', 'no disk left'] },
    });
  });

  it('that never listens is told with what it said instead', async () => {
    const silent = await child(`process.stderr.write('waiting for a key\\n'); setInterval(() => {}, 1_000);`);
    await expect(silent.listening(700, never)).rejects.toMatchObject({
      code: 'CHILD_NOT_LISTENING',
      message: expect.stringMatching(/not listening after 700 ms; it said waiting for a key/),
    });
  });

  it('that ignores SIGTERM is killed when its time is up', async () => {
    const stubborn = await child(`process.on('SIGTERM', () => {}); ${LISTENS}`);
    await stubborn.listening(5_000, never);
    expect(await stubborn.stop(200)).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  it('that is told to stop before it was listening was stopped, though it did not mind the signal yet', async () => {
    const early = await child(`setTimeout(() => {}, 60_000);`);
    expect(await early.stop(5_000)).toMatchObject({ signal: 'SIGTERM', manner: 'stopped' });
    const late = await child(LISTENS);
    await late.listening(5_000, never);
    expect(await late.stop(5_000)).toMatchObject({ signal: 'SIGTERM', manner: 'unasked' });
  });

  it('that was paused still hears that it is to stop', async () => {
    const paused = await child(`process.on('SIGTERM', () => process.exit(0)); ${LISTENS}`);
    await paused.listening(5_000, never);
    process.kill(paused.pid ?? Number.NaN, 'SIGSTOP');
    expect(await paused.stop(5_000)).toMatchObject({ code: 0, signal: null });
  });

  it('is told as ended although somebody holds its output open', async () => {
    const forks = await child(
      `import { spawn } from 'node:child_process';
       process.on('SIGTERM', () => process.exit(0));
       const heir = spawn('sleep', ['60'], { stdio: ['ignore', 'inherit', 'inherit'] });
       heir.unref(); process.stdout.write(heir.pid + '\\n');
       setInterval(() => {}, 1_000);`,
    );
    const heirPid = Number(await forks.listening(5_000, never));
    expect(await forks.stop(30_000)).toMatchObject({ code: 0 });
    process.kill(heirPid, 'SIGKILL'); // throws when it is gone, and held nothing open
  });

  it.skipIf(process.platform !== 'linux')(
    'does not get the Ctrl-C that is meant for the harness',
    async () => {
      const own = await child(LISTENS);
      await own.listening(5_000, never);
      const stat = await until('its stat', () => readFile(`/proc/${own.pid}/stat`, 'utf8'), {
        budgetMs: 1_000,
      });
      const group = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
      expect(group).toBe(own.pid);
    },
  );
});
