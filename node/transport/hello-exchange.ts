import type { Connection } from '@matrixai/quic/native/types.js';
import type { Signer, Signing } from '../../kit/signing.ts';
import type { RefusalName } from './close-codes.ts';
import { encodeFrame, FrameDecoder, FrameError } from './frames.ts';
import {
  decodeHelloMessage,
  encodeHello,
  encodeProof,
  encodeReady,
  HELLO_MAX_BYTES,
  type Hello,
  type Proof,
  peerIdOf,
  refusalOf,
  signedBytes,
  type Transcript,
  type TranscriptSide,
} from './hello.ts';
import { readBuffer } from './inbound-stream.ts';
import type { PeerId } from './transport.ts';

const HELLO_STREAM = 0;
const HELLO_URGENCY = 0;
/** A key pair and the id that its public key hashes to. */
export interface Identity extends Signer {
  readonly id: string;
}

/** A hello that is refused, and what the peer is told. */
export interface Refusal {
  readonly name: RefusalName;
  readonly why: string;
}

export interface HelloModules {
  readonly connection: Connection;
  readonly role: 'initiator' | 'responder';
  readonly ownHello: Hello;
  readonly certificateSha256: Uint8Array;
  readonly peerCertificateSha256: Uint8Array;
  readonly expected: PeerId | undefined;
  readonly machine: Identity;
  readonly agent: Identity;
  readonly signing: Signing;
  readonly needsPump: () => void;
  /** Why this peer may have no link now; undefined when it may. */
  readonly turnsAway: (peerId: PeerId) => Refusal | undefined;
  readonly refuse: (name: RefusalName, why: string) => void;
  /** Both sides have accepted each other. */
  readonly accepted: (theirs: Hello) => void;
  /** Our own keys could not sign or verify: nothing the peer did. */
  readonly broken: (error: unknown) => void;
}

interface Theirs {
  readonly hello: Hello;
  readonly transcript: Transcript;
}

/** Runs the hello over the first stream of a connection. Nothing is read past what it needs. */
export class HelloExchange {
  readonly #modules: HelloModules;
  readonly #own: TranscriptSide;
  readonly #decoder = new FrameDecoder(HELLO_MAX_BYTES);
  #receivedBytes = 0;
  #outgoing = new Uint8Array(0);
  #isProofWritten = false;
  #isLastWritten = false;
  #theirs: Theirs | undefined;
  #hasProof = false;
  #isProven = false;
  #isPeerReady = false;
  #isOver = false;

  constructor(modules: HelloModules) {
    this.#modules = modules;
    this.#own = {
      hello: modules.ownHello,
      helloBytes: encodeHello(modules.ownHello),
      certificateSha256: modules.certificateSha256,
    };
  }

  /** The initiator speaks first: the responder has no stream to speak on before that. */
  start(): void {
    if (this.#modules.role === 'initiator') this.#write(this.#own.helloBytes);
  }

  /** No effect of this exchange is wanted any more. */
  abandon(): void {
    this.#isOver = true;
  }

  readable(streamId: number): void {
    if (streamId !== HELLO_STREAM || this.#isOver) return;
    const messages: Uint8Array[] = [];
    try {
      for (;;) {
        const got = this.#modules.connection.streamRecv(HELLO_STREAM, readBuffer);
        if (got === null) break;
        this.#receivedBytes += got[0];
        if (this.#receivedBytes > HELLO_MAX_BYTES) {
          this.#refuse('HELLO_TOO_LARGE', `more than ${HELLO_MAX_BYTES} bytes`);
          return;
        }
        this.#decoder.push(readBuffer.subarray(0, got[0]), messages);
        if (got[1]) break;
      }
    } catch (error) {
      const tooLarge = error instanceof FrameError && error.code === 'FRAME_TOO_LARGE';
      this.#refuse(
        tooLarge ? 'HELLO_TOO_LARGE' : 'HELLO_MALFORMED',
        error instanceof Error ? error.message : '',
      );
      return;
    }
    for (const message of messages) this.#receive(message);
  }

  flush(): number {
    if (this.#outgoing.length === 0) return 0;
    const { connection } = this.#modules;
    connection.streamPriority(HELLO_STREAM, HELLO_URGENCY, true);
    const taken = connection.streamSend(HELLO_STREAM, this.#outgoing, this.#isLastWritten) ?? 0;
    this.#outgoing = this.#outgoing.subarray(taken);
    return taken;
  }

  #receive(bytes: Uint8Array): void {
    if (this.#isOver) return;
    const message = decodeHelloMessage(bytes);
    if (message.kind === 'unreadable') this.#refuse(message.refusal, message.why);
    else if (message.kind === 'hello') this.#receiveHello(message.hello, bytes);
    else if (message.kind === 'proof') this.#receiveProof(message.proof);
    else if (!this.#hasProof) this.#refuse('HELLO_MALFORMED', 'ready came before a proof');
    else {
      this.#isPeerReady = true;
      this.#finishWhenBothReady();
    }
  }

  #receiveHello(hello: Hello, helloBytes: Uint8Array): void {
    if (this.#theirs !== undefined) {
      this.#refuse('HELLO_MALFORMED', 'a second hello');
      return;
    }
    const { ownHello, machine, expected, role, peerCertificateSha256 } = this.#modules;
    const refusal = refusalOf(hello, { networkId: ownHello.networkId, peerId: machine.id, expected });
    if (refusal !== undefined) {
      this.#refuse(refusal.name, refusal.why);
      return;
    }
    const turnedAway = this.#modules.turnsAway(peerIdOf(hello));
    if (turnedAway !== undefined) {
      this.#refuse(turnedAway.name, turnedAway.why);
      return;
    }
    const peer = { hello, helloBytes, certificateSha256: peerCertificateSha256 };
    const [initiator, responder] = role === 'initiator' ? [this.#own, peer] : [peer, this.#own];
    this.#theirs = { hello, transcript: { networkId: ownHello.networkId, initiator, responder } };
    if (role === 'responder') this.#write(this.#own.helloBytes);
    this.#prove(this.#theirs.transcript).catch(this.#modules.broken);
  }

  async #prove(transcript: Transcript): Promise<void> {
    const { machine, agent, role } = this.#modules;
    const [machineSignature, agentSignature] = await Promise.all([
      machine.sign(signedBytes('machine', role, transcript)),
      agent.sign(signedBytes('agent', role, transcript)),
    ]);
    this.#write(encodeProof({ machineSignature, agentSignature }));
    this.#isProofWritten = true;
    this.#finishWhenBothReady(); // their proof may have come first
  }

  #receiveProof(proof: Proof): void {
    if (this.#theirs === undefined || this.#hasProof) {
      this.#refuse('HELLO_MALFORMED', 'a proof out of order');
      return;
    }
    this.#hasProof = true;
    this.#judgeProof(proof, this.#theirs).catch(this.#modules.broken);
  }

  async #judgeProof(proof: Proof, { hello, transcript }: Theirs): Promise<void> {
    const { signing, role } = this.#modules;
    const theirRole = role === 'initiator' ? 'responder' : 'initiator';
    const [isMachine, isAgent] = await Promise.all([
      signing.verify(
        hello.machinePublicKey,
        signedBytes('machine', theirRole, transcript),
        proof.machineSignature,
      ),
      signing.verify(hello.agentPublicKey, signedBytes('agent', theirRole, transcript), proof.agentSignature),
    ]);
    if (this.#isOver) return;
    if (!isMachine || !isAgent) {
      const whose = isMachine ? 'agent' : 'machine';
      this.#refuse('BAD_SIGNATURE', `the ${whose} key of ${peerIdOf(hello)} did not sign this session`);
      return;
    }
    this.#isProven = true;
    this.#finishWhenBothReady();
  }

  /** We say ready when their proof holds and ours is out; the peer may act as soon as it hears it. */
  #finishWhenBothReady(): void {
    if (this.#isOver || !this.#isProven || this.#theirs === undefined) return;
    if (!this.#isLastWritten && this.#isProofWritten) this.#writeLast(encodeReady());
    if (!this.#isLastWritten || !this.#isPeerReady) return;
    this.#isOver = true;
    this.#modules.accepted(this.#theirs.hello);
  }

  #write(message: Uint8Array): void {
    if (this.#isOver) return;
    this.#outgoing = Buffer.concat([this.#outgoing, encodeFrame(message)]);
    this.#modules.needsPump();
  }

  #writeLast(message: Uint8Array): void {
    this.#write(message);
    this.#isLastWritten = true;
  }

  #refuse(name: RefusalName, why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#modules.refuse(name, why);
  }
}
