import { afterEach, expect, it } from 'vitest';
import { until, withinBudget } from '../../kit/deadline.ts';
import { MeshChild } from '../lab/child-process.ts';
import { outsidersProgram } from './program-file.ts';
import type { OutsidersConfig } from './protocol.ts';

const BUDGET_MS = 15_000;
const never = new AbortController().signal;
/** One that nobody feels: it dials a port where nothing is. */
const CONFIG: OutsidersConfig = {
  network_id: 'rig',
  seed: 1,
  silence_max_ms: null,
  outsiders: [
    { kind: 'silent', bind: { host: '127.0.0.1', port: 0 }, targets: [{ host: '127.0.0.1', port: 9 }] },
  ],
};

const children: MeshChild[] = [];
afterEach(() => Promise.all(children.splice(0).map((child) => child.stop(0))));

async function listening(config: OutsidersConfig) {
  const heard: string[] = [];
  const child = new MeshChild('outsiders', [outsidersProgram()], { onLine: (line) => heard.push(line) });
  children.push(child);
  child.send(JSON.stringify(config));
  await child.listening(BUDGET_MS, never);
  return { child, heard };
}

const exitOf = (child: MeshChild) => withinBudget('the program to end', BUDGET_MS, () => child.exited);

it('the program of outsiders ends by itself when nobody speaks to it any more, though its input stays open', async () => {
  const { child } = await listening({ ...CONFIG, silence_max_ms: 300 });
  expect(await exitOf(child)).toMatchObject({ code: 0, manner: 'unasked' });
}, 30_000);

it('the program of outsiders stays for as long as it is spoken to', async () => {
  const silenceMaxMs = 2_000;
  const { child, heard } = await listening({ ...CONFIG, silence_max_ms: silenceMaxMs });
  const startedMs = performance.now();
  const isPast = () => {
    child.send('report');
    return performance.now() > startedMs + 1.5 * silenceMaxMs || undefined;
  };
  await until('a time that silence would have ended', isPast, { budgetMs: BUDGET_MS, everyMs: 200 });
  const asked = heard.length;
  child.send('report');
  await until('one more answer', () => heard.length > asked || undefined, { budgetMs: BUDGET_MS });
  expect(child.exit).toBeUndefined();
}, 30_000);

it.each([
  ['no configuration', 'hello'],
  ['an unknown kind', JSON.stringify({ ...CONFIG, outsiders: [{ kind: 'loud' }] })],
])(
  'the program of outsiders refuses %s',
  async (_, line) => {
    const child = new MeshChild('outsiders', [outsidersProgram()], { onLine: () => {} });
    children.push(child);
    child.send(line);
    expect(await exitOf(child)).toMatchObject({
      code: 64,
      lastWords: [expect.stringMatching(/^outsiders: /)],
    });
  },
  30_000,
);
