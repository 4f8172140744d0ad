import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** The TLS certificate of this process: who we are is proven in the hello, which binds to `sha256`. */
export interface ProcessCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly der: Uint8Array;
  readonly sha256: Uint8Array;
}

const TAG = {
  integer: 0x02,
  bitString: 0x03,
  oid: 0x06,
  utf8: 0x0c,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
};
const OID_ED25519 = Buffer.from('2b6570', 'hex'); // 1.3.101.112, RFC 8410
const OID_COMMON_NAME = Buffer.from('550403', 'hex'); // 2.5.4.3
const VALIDITY = Buffer.concat([
  Buffer.from([0x17, 13]), // UTCTime
  Buffer.from('200101000000Z', 'latin1'),
  Buffer.from([0x18, 15]), // GeneralizedTime; 99991231235959Z says "no expiry", RFC 5280 4.1.2.5
  Buffer.from('99991231235959Z', 'latin1'),
]);

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const size = content.length; // DER wants the shortest form; nothing here reaches 64 KiB
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

/**
 * A self-signed Ed25519 certificate (RFC 5280, RFC 8410) for one run of the process. Written out by hand because a
 * certificate library costs every node about 18 MB of memory for these few hundred bytes.
 */
export function createProcessCertificate(): ProcessCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const algorithm = der(TAG.sequence, der(TAG.oid, OID_ED25519));
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40; // positive and without a leading zero
  const commonName = der(
    TAG.sequence,
    der(TAG.oid, OID_COMMON_NAME),
    der(TAG.utf8, Buffer.from('meshproof')),
  );
  const name = der(TAG.sequence, der(TAG.set, commonName));
  const toBeSigned = der(
    TAG.sequence,
    der(TAG.version, der(TAG.integer, Buffer.from([2]))), // v3
    der(TAG.integer, serial),
    algorithm,
    name,
    der(TAG.sequence, VALIDITY),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = sign(null, toBeSigned, privateKey);
  const certificate = der(
    TAG.sequence,
    toBeSigned,
    algorithm,
    der(TAG.bitString, Buffer.from([0]), signature),
  );
  const base64 = certificate.toString('base64').replace(/.{64}/g, '$&\n');
  return {
    certificatePem: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    der: certificate,
    sha256: createHash('sha256').update(certificate).digest(),
  };
}
