import { MeshproofError } from './errors.ts';

/** Bytes from outside did not have the promised form. The message names the field and the bound it broke. */
export class BytesError extends MeshproofError {
  constructor(field: string, why: string) {
    super('MALFORMED_BYTES', `${field}: ${why}`, { details: { field, why } });
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads big-endian fields from untrusted bytes. Every length is checked against what is there before anything is
 * allocated; `end()` refuses trailing bytes. Returned slices are views: copy what outlives the input.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  #take(field: string, length: number): number {
    if (this.remaining < length) throw new BytesError(field, `needs ${length} bytes, ${this.remaining} left`);
    const at = this.#at;
    this.#at += length;
    return at;
  }

  u8(field: string): number {
    return this.#view.getUint8(this.#take(field, 1));
  }

  u16(field: string): number {
    return this.#view.getUint16(this.#take(field, 2));
  }

  u32(field: string): number {
    return this.#view.getUint32(this.#take(field, 4));
  }

  /** An unsigned 64-bit number that fits a safe integer; larger is refused. */
  u53(field: string): number {
    const value = this.#view.getBigUint64(this.#take(field, 8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new BytesError(field, `${value} exceeds 2^53 - 1`);
    return Number(value);
  }

  bytes(field: string, length: number): Uint8Array {
    const at = this.#take(field, length);
    return this.#bytes.subarray(at, at + length);
  }

  /** A u32 length of at most `max`, then that many bytes. */
  sized(field: string, max: number): Uint8Array {
    const length = this.u32(field);
    if (length > max) throw new BytesError(field, `${length} bytes exceed the bound of ${max}`);
    return this.bytes(field, length);
  }

  /** A u32 length of at most `max`, then strict UTF-8. */
  text(field: string, max: number): string {
    const bytes = this.sized(field, max);
    try {
      return utf8.decode(bytes);
    } catch {
      throw new BytesError(field, 'is not UTF-8');
    }
  }

  end(what: string): void {
    if (this.remaining !== 0) throw new BytesError(what, `${this.remaining} bytes too many`);
  }
}

/** Writes what `ByteReader` reads, into one growing buffer. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  #make(length: number): number {
    const at = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#at, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }

  u8(value: number): this {
    const at = this.#make(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#make(2);
    this.#view.setUint16(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#make(4);
    this.#view.setUint32(at, value);
    return this;
  }

  u53(value: number): this {
    const at = this.#make(8);
    this.#view.setBigUint64(at, BigInt(value));
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#make(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  sized(value: Uint8Array): this {
    return this.u32(value.length).bytes(value);
  }

  text(value: string): this {
    return this.sized(Buffer.from(value, 'utf8'));
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }
}
