/** Lowercase hex of `bytes`, without a copy first. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** The bytes of lowercase hex that this process made itself. */
export function fromHex(text: string): Uint8Array {
  return Buffer.from(text, 'hex');
}
