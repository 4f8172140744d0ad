/** What the pool asks of a signing worker. Bytes are owned by the message: they are moved, not shared. */
export type SigningJob =
  | { readonly kind: 'derive'; readonly seed: Uint8Array<ArrayBuffer> }
  | {
      readonly kind: 'sign';
      readonly secretKey: Uint8Array<ArrayBuffer>;
      readonly message: Uint8Array<ArrayBuffer>;
    }
  | {
      readonly kind: 'verify';
      readonly publicKey: Uint8Array<ArrayBuffer>;
      readonly message: Uint8Array<ArrayBuffer>;
      readonly signature: Uint8Array<ArrayBuffer>;
    };

/** What a worker gives back: one result per job, in order, after one `ready`. */
export type SigningResult =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'derived';
      readonly publicKey: Uint8Array<ArrayBuffer>;
      readonly secretKey: Uint8Array<ArrayBuffer>;
    }
  | { readonly kind: 'signed'; readonly signature: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'verified'; readonly valid: boolean }
  | { readonly kind: 'failed'; readonly why: string };
