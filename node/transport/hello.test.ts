import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha256Hex } from '../../kit/hash.ts';
import {
  connectionIdOf,
  decodeHelloMessage,
  encodeHello,
  encodeProof,
  encodeReady,
  HELLO_MAX_BYTES,
  type Hello,
  peerIdOf,
  refusalOf,
  signedBytes,
  type Transcript,
} from './hello.ts';

function hello(fill: number, parts: Partial<Hello> = {}): Hello {
  return {
    networkId: 'net',
    machinePublicKey: new Uint8Array(1952).fill(fill),
    agentPublicKey: new Uint8Array(1952).fill(fill + 1),
    nonce: new Uint8Array(32).fill(fill + 2),
    listenAddress: { host: '127.0.0.1', port: 5483 },
    dialSequence: 7,
    features: ['a'],
    ...parts,
  };
}

function transcript(): Transcript {
  const [a, b] = [hello(1), hello(9)];
  return {
    networkId: 'net',
    initiator: { hello: a, helloBytes: encodeHello(a), certificateSha256: new Uint8Array(32).fill(0xa) },
    responder: { hello: b, helloBytes: encodeHello(b), certificateSha256: new Uint8Array(32).fill(0xb) },
  };
}

// The digests come from an independent writing of the layout.
test('the bytes of each message are as written down', () => {
  expect(sha256Hex(encodeHello(hello(1)))).toBe(
    '0cfe60c38832251cc8bd283938985542d55d0bfc018aea96bfcf4c56709771cd',
  );
  expect(Buffer.from(encodeHello(hello(1)).subarray(0, 12)).toString('hex')).toBe(
    '0100010000' + '00036e65740101',
  );
  const proof = {
    machineSignature: new Uint8Array(3309).fill(1),
    agentSignature: new Uint8Array(3309).fill(2),
  };
  expect(sha256Hex(encodeProof(proof))).toBe(
    '7cbabd85f48149641cd9907735d000f80d717600e54396210738d51bdb9b47f0',
  );
  expect([...encodeReady()]).toEqual([3]);
  expect(sha256Hex(signedBytes('machine', 'initiator', transcript()))).toBe(
    '192c1de6eb07f15f1a4f8d128e31be5ae63ea0407a90ef47e4aab308eaebabf2',
  );
});

test('a hello reads back as it was written', () => {
  const written = hello(3, { features: ['x', 'yy'], dialSequence: 2 ** 40 });
  expect(decodeHelloMessage(encodeHello(written))).toEqual({ kind: 'hello', hello: written });
});

test('the whole exchange of one side fits its bound', () => {
  const largest = hello(1, { networkId: 'n'.repeat(256), features: Array(32).fill('f'.repeat(64)) });
  const proofBytes = 1 + 2 * 3309;
  expect(encodeHello(largest).length + proofBytes + 1 + 3 * 5).toBeLessThan(HELLO_MAX_BYTES);
});

test('any bytes are a message or a named refusal', () => {
  const valid = encodeHello(hello(1));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5_000 }), fc.nat(valid.length), (noise, cut) => {
      for (const bytes of [noise, valid.subarray(0, cut), Buffer.concat([valid.subarray(0, cut), noise])]) {
        const message = decodeHelloMessage(bytes);
        if (message.kind === 'unreadable')
          expect(['HELLO_MALFORMED', 'PROTOCOL_VERSION']).toContain(message.refusal);
      }
    }),
  );
});

test('another protocol version is named before anything else is read', () => {
  expect(decodeHelloMessage(Buffer.from('010002ff', 'hex'))).toMatchObject({ refusal: 'PROTOCOL_VERSION' });
});

test('trailing bytes make a hello unreadable', () => {
  const bytes = Buffer.concat([encodeHello(hello(1)), Buffer.from([0])]);
  expect(decodeHelloMessage(bytes)).toMatchObject({ kind: 'unreadable', refusal: 'HELLO_MALFORMED' });
});

test('the signed bytes differ in every part that they bind', () => {
  const base = transcript();
  const other = (side: 'initiator' | 'responder', parts: object): Transcript => ({
    ...base,
    [side]: { ...base[side], ...parts },
  });
  const variants = [
    signedBytes('machine', 'initiator', base),
    signedBytes('agent', 'initiator', base),
    signedBytes('machine', 'responder', base),
    signedBytes('machine', 'initiator', { ...base, networkId: 'other' }),
    signedBytes('machine', 'initiator', other('initiator', { certificateSha256: new Uint8Array(32) })),
    signedBytes('machine', 'initiator', other('responder', { certificateSha256: new Uint8Array(32) })),
    signedBytes(
      'machine',
      'initiator',
      other('initiator', { hello: hello(1, { nonce: new Uint8Array(32) }) }),
    ),
    signedBytes('machine', 'initiator', other('responder', { helloBytes: new Uint8Array(1) })),
  ].map(sha256Hex);
  expect(new Set(variants).size).toBe(variants.length);
});

test('both ends give a connection the same name, and another nonce another name', () => {
  expect(connectionIdOf(hello(1), hello(9))).toBe(connectionIdOf(hello(9), hello(1)));
  expect(connectionIdOf(hello(1), hello(9, { nonce: new Uint8Array(32) }))).not.toBe(
    connectionIdOf(hello(1), hello(9)),
  );
});

test('a hello is refused by the name of what is wrong with it', () => {
  const ours = { networkId: 'net', peerId: peerIdOf(hello(1)), expected: undefined };
  expect(refusalOf(hello(9), ours)).toBeUndefined();
  expect(refusalOf(hello(9), { ...ours, networkId: 'other' })?.name).toBe('WRONG_NETWORK');
  expect(refusalOf(hello(1), ours)?.name).toBe('SELF_DIAL');
  expect(refusalOf(hello(9), { ...ours, expected: 'someone' })?.name).toBe('WRONG_PEER');
  expect(refusalOf(hello(9), { ...ours, expected: peerIdOf(hello(9)) })).toBeUndefined();
});
