/**
 * The payload forms of direct messages between runners and the harness, byte for byte those of x0x's mesh runner:
 * `x0xtest|cmd|<base64>`, `x0xtest|res|<base64>` and `x0xtest|hop|<request id>|<digest>|<anchor>|<payload>`.
 */
export type DmFrame =
  | { readonly form: 'command'; readonly text: string }
  | { readonly form: 'result'; readonly text: string }
  | ({ readonly form: 'hop' } & Hop);

export interface Hop {
  readonly requestId: string;
  readonly digestMarker: string;
  /** Agent that asked for the message, 64 hex characters, or empty when nobody reads reports by direct message. */
  readonly anchorAid: string;
  /** The user's bytes: a view of the input when decoded. */
  readonly payload: Uint8Array;
}

const PREFIX = 'x0xtest|';
const BAR = 0x7c;
const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;
const DIGEST_MARKER = /^[^|]{0,64}$/;
const ANCHOR = /^([0-9a-f]{64})?$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** Greatest length of a hop's five leading fields, so that hostile bytes are not searched to their end. */
const HOP_HEADER_MAX_BYTES = 8 + 4 + 129 + 65 * 4 + 65;

export function encodeCommandDm(text: string): Uint8Array {
  return Buffer.from(`${PREFIX}cmd|${Buffer.from(text, 'utf8').toString('base64')}`, 'latin1');
}

export function encodeResultDm(text: string): Uint8Array {
  return Buffer.from(`${PREFIX}res|${Buffer.from(text, 'utf8').toString('base64')}`, 'latin1');
}

/** @throws RangeError when a field holds what the form cannot carry */
export function encodeHopDm({ requestId, digestMarker, anchorAid, payload }: Hop): Uint8Array {
  if (!REQUEST_ID.test(requestId))
    throw new RangeError(`request id ${JSON.stringify(requestId)} does not fit a hop`);
  if (!DIGEST_MARKER.test(digestMarker)) throw new RangeError('digest marker does not fit a hop');
  if (!ANCHOR.test(anchorAid)) throw new RangeError('anchor agent id does not fit a hop');
  return Buffer.concat([
    Buffer.from(`${PREFIX}hop|${requestId}|${digestMarker}|${anchorAid}|`, 'utf8'),
    payload,
  ]);
}

/** Whether `bytes` claims to be one of the forms. */
export function hasTestPrefix(bytes: Uint8Array): boolean {
  return (
    Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, PREFIX.length)).toString('latin1') ===
    PREFIX
  );
}

/** Reads a direct message's payload; `undefined` for anything that is not exactly one of the forms. Never throws. */
export function decodeDm(bytes: Uint8Array): DmFrame | undefined {
  if (!hasTestPrefix(bytes)) return undefined;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const form = buffer.toString('latin1', PREFIX.length, PREFIX.length + 4);
  const rest = buffer.subarray(PREFIX.length + 4);
  if (form === 'cmd|') return encodedText('command', rest);
  if (form === 'res|') return encodedText('result', rest);
  return form === 'hop|' ? decodeHop(rest) : undefined;
}

function encodedText(form: 'command' | 'result', base64: Buffer): DmFrame | undefined {
  const encoded = base64.toString('latin1');
  if (!BASE64.test(encoded)) return undefined;
  return { form, text: Buffer.from(encoded, 'base64').toString('utf8') };
}

function decodeHop(rest: Buffer): DmFrame | undefined {
  const fields: string[] = [];
  let from = 0;
  while (fields.length < 3) {
    const bar = rest.subarray(from, HOP_HEADER_MAX_BYTES).indexOf(BAR);
    if (bar < 0) return undefined;
    fields.push(rest.toString('utf8', from, from + bar));
    from += bar + 1;
  }
  const [requestId = '', digestMarker = '', anchorAid = ''] = fields;
  if (!REQUEST_ID.test(requestId) || !DIGEST_MARKER.test(digestMarker) || !ANCHOR.test(anchorAid))
    return undefined;
  return { form: 'hop', requestId, digestMarker, anchorAid, payload: rest.subarray(from) };
}
