const LONG_HEADER = 0x80;
/** Our nodes choose ids of 16 bytes (`node/transport/endpoint.ts`); a short header does not tell their length. */
const CONNECTION_ID_BYTES = 16;
const ID_LENGTH_AT = 5; // after the first byte and the version; RFC 9000 17.2

/**
 * What a datagram shows of its QUIC connection (RFC 9000 17, RFC 8999): one of a handshake begins with a long header
 * and names the id that its sender wants to be reached by; later ones name only the id of their receiver.
 */
export type QuicFlow =
  | { readonly stage: 'handshake'; readonly senderId: string }
  | { readonly stage: 'established'; readonly receiverId: string }
  | { readonly stage: 'unknown' };

export function quicFlowOf(data: Uint8Array): QuicFlow {
  const first = data[0];
  if (first === undefined) return { stage: 'unknown' };
  if ((first & LONG_HEADER) === 0) {
    if (data.length < 1 + CONNECTION_ID_BYTES) return { stage: 'unknown' };
    return { stage: 'established', receiverId: hex(data, 1, CONNECTION_ID_BYTES) };
  }
  const senderLengthAt = ID_LENGTH_AT + 1 + (data[ID_LENGTH_AT] ?? 0);
  const senderBytes = data[senderLengthAt];
  if (senderBytes === undefined || data.length < senderLengthAt + 1 + senderBytes)
    return { stage: 'unknown' };
  return { stage: 'handshake', senderId: hex(data, senderLengthAt + 1, senderBytes) };
}

function hex(data: Uint8Array, at: number, bytes: number): string {
  return Buffer.from(data.buffer, data.byteOffset + at, bytes).toString('hex');
}
