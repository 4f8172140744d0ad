const REQUEST_MAGIC = Buffer.from('MPLQ', 'latin1');
const REPLY_MAGIC = Buffer.from('MPLR', 'latin1');
const HEAD_BYTES = 5; // magic and version
const VERSION = 1;
/**
 * Beyond 1 KiB, so that a path which only lets small packets through does not pass for a whole one; below what one
 * datagram carries on any path, so that a proof is one packet each way.
 */
const PROOF_BYTES = 1_100;
const MAX_PROOF_BYTES = 4_096; // what a peer may make us send back

/** The body of a request that proves a link: magic, version, and zeros up to 1,100 bytes. */
export function linkProofRequest(): Uint8Array {
  return framed(REQUEST_MAGIC, PROOF_BYTES);
}

/** The reply to a proof, exactly as long as the request; undefined for a request of another kind. */
export function answerLinkProof(body: Uint8Array): Uint8Array | undefined {
  if (body.length > MAX_PROOF_BYTES || !hasHead(body, REQUEST_MAGIC)) return undefined;
  return framed(REPLY_MAGIC, body.length);
}

/** Whether `reply` is all that a link must carry back. */
export function isLinkProven(reply: Uint8Array): boolean {
  return reply.length === PROOF_BYTES && hasHead(reply, REPLY_MAGIC);
}

function framed(magic: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(magic);
  bytes[magic.length] = VERSION;
  return bytes;
}

function hasHead(bytes: Uint8Array, magic: Uint8Array): boolean {
  return (
    bytes.length >= HEAD_BYTES &&
    Buffer.compare(bytes.subarray(0, magic.length), magic) === 0 &&
    bytes[magic.length] === VERSION
  );
}
