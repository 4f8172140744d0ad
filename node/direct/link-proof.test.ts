import { expect, test } from 'vitest';
import { answerLinkProof, isLinkProven, linkProofRequest } from './link-proof.ts';
import { live, pair, sendAndWait } from './room-fixture.ts';

test('the request and the reply are both of 1,100 bytes, more than a path for small packets lets through', () => {
  const request = linkProofRequest();
  const reply = answerLinkProof(request) ?? new Uint8Array();
  expect([request.length, reply.length]).toEqual([1_100, 1_100]);
  expect(Buffer.from(request.subarray(0, 6)).toString('hex')).toBe('4d504c510100');
  expect(Buffer.from(reply.subarray(0, 6)).toString('hex')).toBe('4d504c520100');
  expect(isLinkProven(reply)).toBe(true);
});

test('nobody can make a peer send more than it was sent, or more than 4 KiB', () => {
  const long = (bytes: number) => {
    const body = new Uint8Array(bytes);
    body.set(linkProofRequest().subarray(0, 5));
    return body;
  };
  expect(answerLinkProof(long(5))).toHaveLength(5);
  expect(answerLinkProof(long(4_096))).toHaveLength(4_096);
  expect(answerLinkProof(long(4_097))).toBeUndefined();
});

test('what is cut, of another version or another kind proves nothing', () => {
  const reply = answerLinkProof(linkProofRequest()) ?? new Uint8Array();
  expect(isLinkProven(reply.subarray(0, 1_099))).toBe(false);
  expect(isLinkProven(linkProofRequest())).toBe(false);
  expect(answerLinkProof(Buffer.from('MPLQ'))).toBeUndefined();
  expect(answerLinkProof(Uint8Array.from([...Buffer.from('MPLQ'), 2]))).toBeUndefined();
});

test('a node answers a proof beside its messages, and neither counts as the other', async () => {
  const { clock, a, b } = pair();
  b.listen();
  const reply = await Promise.all([
    a.transport.request(b.transport.peerId, linkProofRequest(), live),
    clock.advance(1),
  ]);
  expect(isLinkProven(reply[0])).toBe(true);
  await sendAndWait(clock, a, b);
  expect(b.inbox).toHaveLength(1);
  expect(b.direct.diagnostics().stats.incoming_envelopes_total).toBe(1);
});
