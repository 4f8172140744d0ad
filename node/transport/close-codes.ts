/**
 * Why a connection ends, as QUIC application error codes. The first block carries the numbers and names that
 * operators of x0x know (`0x4E5B00` on); ours follow from `+0x10`, and refusals of a hello from `+0x20`.
 */
export const CLOSE_CODES = {
  Superseded: 0x4e5b00,
  ReaderExit: 0x4e5b01,
  PeerShutdown: 0x4e5b02,
  Banned: 0x4e5b03,
  LifecycleCleanup: 0x4e5b04,
  LivenessTimeout: 0x4e5b05,
  NoReader: 0x4e5b06,
  SendStalled: 0x4e5b10,
  StreamLimit: 0x4e5b11,
  DialAborted: 0x4e5b12,
  WRONG_NETWORK: 0x4e5b20,
  WRONG_PEER: 0x4e5b21,
  BAD_SIGNATURE: 0x4e5b22,
  HELLO_TIMEOUT: 0x4e5b23,
  HELLO_TOO_LARGE: 0x4e5b24,
  HELLO_MALFORMED: 0x4e5b25,
  SELF_DIAL: 0x4e5b26,
  PROTOCOL_VERSION: 0x4e5b27,
  NO_CERTIFICATE: 0x4e5b28,
  TOO_MANY_LINKS: 0x4e5b29,
  PEER_BANNED: 0x4e5b2a,
} as const;

export type CloseName = keyof typeof CLOSE_CODES;

/** The names with which a hello is refused; each is also the `code` of the error at both ends. */
export type RefusalName = Extract<CloseName, Uppercase<CloseName>>;

const NAMES = new Map<number, CloseName>(
  Object.entries(CLOSE_CODES).map(([name, code]) => [code, name as CloseName]),
);
const FIRST_REFUSAL = CLOSE_CODES.WRONG_NETWORK;

/** The name behind an application error code of a peer; undefined for a number that nobody of ours sends. */
export function closeNameOf(code: number): CloseName | undefined {
  return NAMES.get(code);
}

export function isRefusal(name: string): name is RefusalName {
  const code = Object.hasOwn(CLOSE_CODES, name) ? CLOSE_CODES[name as CloseName] : 0;
  return code >= FIRST_REFUSAL;
}

/** How a connection ended. `by` says who decided: us, the peer, silence, or QUIC itself (a TLS or protocol error). */
export interface CloseReason {
  readonly by: 'us' | 'them' | 'silence' | 'quic';
  /** A `CloseName`, or `QUIC_<code>` for an error of the transport below us. */
  readonly name: string;
  readonly detail: string;
}
