import { ByteReader, BytesError, ByteWriter } from '../../kit/bytes.ts';
import { sha256, sha256Hex } from '../../kit/hash.ts';
import { ML_DSA_65 } from '../../kit/signing.ts';
import type { RefusalName } from './close-codes.ts';
import type { AgentId, PeerId, SocketAddress } from './transport.ts';

/**
 * The hello proves, before any other byte of a peer is read, that the two ML-DSA identities of each side belong to
 * this TLS session (node-behaviour 7.4). Three messages each way on the first stream: who I am, the proof, and that
 * I have accepted your proof. All integers are big-endian.
 */
const HELLO_VERSION = 1;
export const HELLO_MAX_BYTES = 16 * 1024;
const NONCE_BYTES = 32;
const MAX_NETWORK_ID_BYTES = 256;
const MAX_HOST_BYTES = 255;
const MAX_FEATURES = 32;
const MAX_FEATURE_BYTES = 64;
const MESSAGE = { hello: 1, proof: 2, ready: 3 } as const;
const DOMAIN = {
  machine: Buffer.from('meshproof/hello/machine/v1'),
  agent: Buffer.from('meshproof/hello/agent/v1'),
};

export interface Hello {
  readonly networkId: string;
  readonly machinePublicKey: Uint8Array;
  readonly agentPublicKey: Uint8Array;
  readonly nonce: Uint8Array;
  readonly listenAddress: SocketAddress;
  /** Counts the dials of the initiator's process: the newer of two of its connections has the larger number. */
  readonly dialSequence: number;
  readonly features: readonly string[];
}

export interface Proof {
  readonly machineSignature: Uint8Array;
  readonly agentSignature: Uint8Array;
}

export type HelloMessage =
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'proof'; readonly proof: Proof }
  | { readonly kind: 'ready' }
  | { readonly kind: 'unreadable'; readonly refusal: RefusalName; readonly why: string };

export function encodeHello(hello: Hello): Uint8Array {
  const writer = new ByteWriter(4_608)
    .u8(MESSAGE.hello)
    .u16(HELLO_VERSION)
    .text(hello.networkId)
    .bytes(hello.machinePublicKey)
    .bytes(hello.agentPublicKey)
    .bytes(hello.nonce)
    .text(hello.listenAddress.host)
    .u16(hello.listenAddress.port)
    .u53(hello.dialSequence)
    .u8(hello.features.length);
  for (const feature of hello.features) writer.text(feature);
  return writer.finish();
}

export function encodeProof(proof: Proof): Uint8Array {
  return new ByteWriter(6_624)
    .u8(MESSAGE.proof)
    .bytes(proof.machineSignature)
    .bytes(proof.agentSignature)
    .finish();
}

export function encodeReady(): Uint8Array {
  return new Uint8Array([MESSAGE.ready]);
}

/** Reads one message of the exchange; bytes that are none of them become the refusal that they earn. */
export function decodeHelloMessage(bytes: Uint8Array): HelloMessage {
  try {
    return decode(new ByteReader(bytes));
  } catch (error) {
    if (!(error instanceof BytesError)) throw error;
    return { kind: 'unreadable', refusal: 'HELLO_MALFORMED', why: error.message };
  }
}

function decode(reader: ByteReader): HelloMessage {
  const kind = reader.u8('hello.kind');
  if (kind === MESSAGE.hello) {
    const version = reader.u16('hello.version');
    if (version !== HELLO_VERSION) {
      const why = `protocol version ${version}, here ${HELLO_VERSION}`;
      return { kind: 'unreadable', refusal: 'PROTOCOL_VERSION', why };
    }
    return { kind: 'hello', hello: readHello(reader) };
  }
  if (kind === MESSAGE.proof) {
    const machineSignature = reader.bytes('proof.machine_signature', ML_DSA_65.signatureBytes);
    const agentSignature = reader.bytes('proof.agent_signature', ML_DSA_65.signatureBytes);
    reader.end('proof');
    return { kind: 'proof', proof: { machineSignature, agentSignature } };
  }
  if (kind !== MESSAGE.ready) throw new BytesError('hello.kind', `${kind} is not a message`);
  reader.end('ready');
  return { kind: 'ready' };
}

function readHello(reader: ByteReader): Hello {
  const networkId = reader.text('hello.network_id', MAX_NETWORK_ID_BYTES);
  const machinePublicKey = reader.bytes('hello.machine_public_key', ML_DSA_65.publicKeyBytes);
  const agentPublicKey = reader.bytes('hello.agent_public_key', ML_DSA_65.publicKeyBytes);
  const nonce = reader.bytes('hello.nonce', NONCE_BYTES);
  const host = reader.text('hello.listen_host', MAX_HOST_BYTES);
  const port = reader.u16('hello.listen_port');
  const dialSequence = reader.u53('hello.dial_sequence');
  const count = reader.u8('hello.features');
  if (count > MAX_FEATURES) throw new BytesError('hello.features', `${count} exceed ${MAX_FEATURES}`);
  const features = Array.from({ length: count }, () => reader.text('hello.feature', MAX_FEATURE_BYTES));
  reader.end('hello');
  const listenAddress = { host, port };
  return { networkId, machinePublicKey, agentPublicKey, nonce, listenAddress, dialSequence, features };
}

export function peerIdOf(hello: Hello): PeerId {
  return sha256Hex(hello.machinePublicKey);
}

export function agentIdOf(hello: Hello): AgentId {
  return sha256Hex(hello.agentPublicKey);
}

/** Both sides' view of one exchange, told from the initiator so that it reads the same at either end. */
export interface Transcript {
  readonly networkId: string;
  readonly initiator: TranscriptSide;
  readonly responder: TranscriptSide;
}

export interface TranscriptSide {
  readonly hello: Hello;
  /** The hello as it was on the wire: everything in it is signed, the listen address and features too. */
  readonly helloBytes: Uint8Array;
  readonly certificateSha256: Uint8Array;
}

/**
 * What the side in `role` signs with its machine key or its agent key. Bound to both certificates, it is worthless in
 * any other TLS session; bound to the role, it cannot be reflected.
 */
export function signedBytes(
  key: 'machine' | 'agent',
  role: 'initiator' | 'responder',
  t: Transcript,
): Uint8Array {
  const [own, peer] = role === 'initiator' ? [t.initiator, t.responder] : [t.responder, t.initiator];
  return new ByteWriter(512)
    .sized(DOMAIN[key])
    .bytes(t.initiator.hello.nonce)
    .bytes(t.responder.hello.nonce)
    .bytes(own.certificateSha256)
    .bytes(peer.certificateSha256)
    .text(role)
    .text(t.networkId)
    .text(agentIdOf(own.hello))
    .bytes(sha256(t.initiator.helloBytes))
    .bytes(sha256(t.responder.helloBytes))
    .finish();
}

/** The name of a connection, the same at both ends: SHA-256 of the sorted nonces and the sorted peer ids. */
export function connectionIdOf(a: Hello, b: Hello): string {
  const nonces = [Buffer.from(a.nonce), Buffer.from(b.nonce)].sort(Buffer.compare);
  const peers = [peerIdOf(a), peerIdOf(b)].sort();
  return sha256Hex(Buffer.concat([...nonces, ...peers.map((id) => Buffer.from(id, 'hex'))]));
}

/** Why we do not go on with the side that said `theirs`; undefined when we do. */
export function refusalOf(
  theirs: Hello,
  ours: { readonly networkId: string; readonly peerId: PeerId; readonly expected: PeerId | undefined },
): { readonly name: RefusalName; readonly why: string } | undefined {
  const peerId = peerIdOf(theirs);
  if (theirs.networkId !== ours.networkId) {
    return { name: 'WRONG_NETWORK', why: `"${theirs.networkId}" met "${ours.networkId}"` };
  }
  if (peerId === ours.peerId) return { name: 'SELF_DIAL', why: 'the address is our own' };
  if (ours.expected !== undefined && peerId !== ours.expected) {
    return { name: 'WRONG_PEER', why: `expected ${ours.expected}, met ${peerId}` };
  }
  return undefined;
}
