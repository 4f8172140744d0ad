import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { createProcessCertificate } from './certificate.ts';

test('the process certificate is one that X.509 readers accept, signed by its own key', () => {
  for (let round = 0; round < 20; round += 1) {
    const made = createProcessCertificate();
    const read = new X509Certificate(made.certificatePem);
    expect(read.verify(read.publicKey)).toBe(true);
    expect(read.checkPrivateKey(createPrivateKey(made.privateKeyPem))).toBe(true);
    expect(read.subject).toBe('CN=meshproof');
    expect(read.raw.equals(Buffer.from(made.der))).toBe(true);
    expect(createHash('sha256').update(read.raw).digest().equals(Buffer.from(made.sha256))).toBe(true);
    expect(read.validTo).toContain('9999');
  }
});

test('no two processes share a certificate', () => {
  expect(createProcessCertificate().sha256).not.toEqual(createProcessCertificate().sha256);
});
