import { afterEach, expect, test } from 'vitest';
import type { SigningJob } from './signing-job.ts';
import { SigningPool } from './signing-pool.ts';

const derive = (): SigningJob => ({ kind: 'derive', seed: new Uint8Array(32) });
const verification = (): SigningJob => {
  const empty = () => new Uint8Array(1);
  return { kind: 'verify', publicKey: empty(), message: empty(), signature: empty() };
};
let pool: SigningPool | undefined;
afterEach(() => pool?.close());

test('a job beyond the bound of the queue is refused by name, and the others are done', async () => {
  pool = await SigningPool.start({ workers: 1, maxWaiting: 2 });
  const jobs = Array.from({ length: 4 }, () => pool?.run(derive()));
  const results = await Promise.allSettled(jobs);
  expect(results.map((result) => result.status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
  expect(results[3]).toMatchObject({ reason: { code: 'SIGNING_QUEUE_FULL', details: { max_waiting: 2 } } });
  expect(pool.waiting).toBe(0);
});

test('a job that fails in the worker rejects alone; the worker goes on', async () => {
  pool = await SigningPool.start({ workers: 1 });
  const broken = pool.run({ kind: 'derive', seed: new Uint8Array(5) });
  await expect(broken).rejects.toMatchObject({ code: 'SIGNING_FAILED' });
  await expect(pool.run(derive())).resolves.toMatchObject({ kind: 'derived' });
});

test('closing rejects what runs and what waits, and later jobs', async () => {
  pool = await SigningPool.start({ workers: 1 });
  const jobs = [pool.run(derive()), pool.run(derive())].map((job) => job.catch((error: unknown) => error));
  await pool.close();
  for (const outcome of await Promise.all(jobs)) expect(outcome).toMatchObject({ code: 'SIGNING_CLOSED' });
  await expect(pool.run(derive())).rejects.toMatchObject({ code: 'SIGNING_CLOSED' });
});

const READY =
  "import { parentPort as port } from 'node:worker_threads'; port.postMessage({ kind: 'ready' });";
const worker = (code: string) => new URL(`data:text/javascript,${encodeURIComponent(code)}`);

test('a worker that dies fails its job by name and is replaced', async () => {
  const workerFile = worker(`${READY} port.on('message', ({ kind }) => {
    if (kind === 'derive') process.exit(3);
    port.postMessage({ kind: 'verified', valid: true });
  });`);
  pool = await SigningPool.start({ workers: 1, workerFile });
  const [lost, done] = [pool.run(derive()), pool.run(verification())];
  await expect(lost).rejects.toMatchObject({ code: 'SIGNING_WORKER_LOST' });
  await expect(done).resolves.toMatchObject({ kind: 'verified' });
  expect(pool.workers).toBe(1);
});

test('workers that die while starting fail the start instead of being replaced for ever', async () => {
  const started = SigningPool.start({ workers: 2, workerFile: worker("throw new Error('no such module')") });
  await expect(started).rejects.toMatchObject({ code: 'SIGNING_WORKER_LOST' });
  await expect(started).rejects.toThrow('no such module');
});
