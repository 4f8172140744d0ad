import { parentPort } from 'node:worker_threads';
import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import { messageOf } from './errors.ts';
import type { SigningJob, SigningResult } from './signing-job.ts';

const copy = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

function perform(job: SigningJob): SigningResult {
  switch (job.kind) {
    case 'derive': {
      const { publicKey, secretKey } = ml_dsa65.keygen(job.seed);
      return { kind: 'derived', publicKey: copy(publicKey), secretKey: copy(secretKey) };
    }
    case 'sign':
      return { kind: 'signed', signature: copy(ml_dsa65.sign(job.message, job.secretKey)) };
    case 'verify':
      return { kind: 'verified', valid: ml_dsa65.verify(job.signature, job.message, job.publicKey) };
  }
}

function answer(job: SigningJob): SigningResult {
  try {
    return perform(job);
  } catch (error) {
    return { kind: 'failed', why: messageOf(error) };
  }
}

parentPort?.on('message', (job: SigningJob) => parentPort?.postMessage(answer(job)));
parentPort?.postMessage({ kind: 'ready' } satisfies SigningResult);
