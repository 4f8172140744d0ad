import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { FakeHost } from './fake-host.ts';
import { FaultProgram } from './fault-program.ts';
import { answerLineSchema, type FaultAnswerLine } from './protocol.ts';
import { REQUEST_BYTES_MAX } from './read-lines.ts';
import { FaultSession } from './serve.ts';

const PEERS = { peers: ['192.0.2.7'], larger_than_bytes: null } as const;
const lease = (lease_id: string) => ({ run_id: 'run', lease_id, kind: 'cut', ttl_ms: 15_000, ...PEERS });

let directory: string;
let host: FakeHost;
let input: PassThrough;
let output: PassThrough;
let ending: AbortController;
let served: Promise<void>;
let answers: FaultAnswerLine[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meshproof-serve-'));
  host = new FakeHost(directory);
  input = new PassThrough();
  output = new PassThrough();
  ending = new AbortController();
  answers = [];
  let rest = '';
  output.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    answers.push(...lines.map((line) => answerLineSchema.parse(JSON.parse(line))));
  });
  served = new FaultSession(new FaultProgram(host)).serve({ input, output, signal: ending.signal });
});
afterEach(async () => {
  input.destroy();
  await served.catch(() => {});
  await rm(directory, { recursive: true, force: true });
});

async function ask(id: number, op: string, body: object): Promise<FaultAnswerLine> {
  input.write(`${JSON.stringify({ id, op, body })}\n`);
  return await until(`answer ${id}`, () => answers.find((answer) => answer.id === id), {
    budgetMs: 20_000,
    everyMs: 2,
  });
}

it('answers under the number of the request, and an error as one', async () => {
  expect(await ask(1, 'apply', { lease: lease('a') })).toMatchObject({ id: 1, ok: true });
  expect(await ask(2, 'list', {})).toMatchObject({
    id: 2,
    ok: true,
    result: { standing: [{ lease_id: 'a' }, {}] },
  });
  expect(await ask(3, 'apply', { lease: {} })).toMatchObject({ id: 3, ok: false, code: 'BAD_REQUEST' });
  host.lacking.add('nft');
  expect(await ask(4, 'list', {})).toMatchObject({ id: 4, ok: false, code: 'COMMAND_MISSING' });
  host.lacking.clear();
});

it.each(['not json', '{"id":-1}', '{"id":7,"op":"explode","body":{}}', '[]'])(
  'survives the line %s',
  async (line) => {
    input.write(`${line}\n`);
    await until('its refusal', () => answers.find((answer) => !answer.ok), { budgetMs: 20_000, everyMs: 2 });
    expect(await ask(9, 'list', {})).toMatchObject({ ok: true });
  },
);

it('reverts what it applied when its input ends, and leaves what others applied', async () => {
  await new FaultProgram(host).handle('apply', { lease: lease('of-others') });
  await ask(1, 'apply', { lease: lease('a') });
  await ask(2, 'apply', { lease: lease('b') });
  await ask(3, 'revert', { run_id: 'run', lease_ids: ['b'] });
  await ask(4, 'apply', { lease: lease('c') });
  input.end();
  await served;
  expect([...host.tables.keys()]).toEqual(['meshproof_run_of-others']);
});

it('reverts when it is told to end, also what was under way', async () => {
  input.write(`${JSON.stringify({ id: 1, op: 'apply', body: { lease: lease('a') } })}\n`);
  await until('the table', () => (host.tables.size > 0 ? true : undefined), { budgetMs: 20_000, everyMs: 1 });
  ending.abort();
  await served;
  expect([...host.tables.keys()]).toEqual([]);
  expect(host.timers.size).toBe(0);
});

it('reverts when nobody reads its answers any more', async () => {
  await ask(1, 'apply', { lease: lease('a') });
  output.destroy(new Error('EPIPE'));
  await served;
  expect(host.tables.size).toBe(0);
});

it('tries to revert a lease whose application failed', async () => {
  host.commandsUntilDeath = 4; // between the timer and the table
  expect(await ask(1, 'apply', { lease: lease('a') })).toMatchObject({ ok: false });
  host.commandsUntilDeath = Number.POSITIVE_INFINITY;
  input.end();
  await served;
  expect(host.commands.some((command) => command.startsWith('nft -f'))).toBe(true);
  expect(host.timers.size).toBe(0);
});

it('ends with a failure when it could not revert', async () => {
  await ask(1, 'apply', { lease: lease('a') });
  host.lacking.add('nft');
  input.end();
  await expect(served).rejects.toMatchObject({ code: 'COMMAND_MISSING' });
});

it('reverts what it holds for one run although that of another stays', async () => {
  await ask(1, 'apply', { lease: lease('a') });
  await ask(2, 'apply', { lease: { ...lease('b'), run_id: 'later' } });
  host.stuckTables.add('meshproof_run_a');
  input.end();
  await expect(served).rejects.toMatchObject({ code: 'COMMAND_FAILED' });
  expect([...host.tables.keys()]).toEqual(['meshproof_run_a']);
});

it('ends, and reverts, when a line has no end', async () => {
  await ask(1, 'apply', { lease: lease('a') });
  input.write('x'.repeat(REQUEST_BYTES_MAX + 1));
  await served;
  expect(answers.at(-1)).toMatchObject({ id: null, ok: false, code: 'REQUEST_TOO_LARGE' });
  expect(host.tables.size).toBe(0);
});
