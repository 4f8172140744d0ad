import { sha256Hex } from '../kit/hash.ts';
import { ML_DSA_65, type Signer, type Signing } from '../kit/signing.ts';
import {
  ANY_NODE,
  CLOCK_SKEW_MAX_MS,
  COMMAND_LIFETIME_MAX_MS,
  type Command,
  commandSchema,
  type Envelope,
  envelopeSchema,
} from './protocol.ts';

const DOMAIN = Buffer.from('meshproof.command.v1\0', 'utf8');

/** Why a command is not executed. Counted by code; none of them says more than the sender already knows. */
export type RefusalCode =
  | 'ENVELOPE_MALFORMED'
  | 'COMMAND_UNSIGNED'
  | 'OPERATOR_UNKNOWN'
  | 'SIGNATURE_INVALID'
  | 'COMMAND_MALFORMED'
  | 'COMMAND_FOR_ANOTHER_NODE'
  | 'COMMAND_EXPIRED'
  | 'COMMAND_NOT_YET_VALID'
  | 'COMMAND_LIFETIME_TOO_LONG'
  | 'COMMAND_LOG_FULL'
  | 'COMMAND_LOG_UNWRITABLE'
  | 'RUNNER_BUSY';
export type Refusal = { readonly refused: RefusalCode; readonly why: string };

/** Public keys by operator id, as deployed with the runner. */
export type Operators = ReadonlyMap<string, Uint8Array>;

export function operatorId(publicKey: Uint8Array): string {
  return sha256Hex(publicKey);
}

/** Signs `command` as the operator who holds `signer`. */
export async function sealCommand(command: Command, signer: Signer): Promise<Envelope> {
  const text = JSON.stringify(command);
  const signature = await signer.sign(signedBytes(text));
  return {
    command: text,
    operator: operatorId(signer.publicKey),
    signature: Buffer.from(signature).toString('base64'),
  };
}

/**
 * Gives the command inside `text` if one of `operators` signed exactly it, for this node, and it is valid at
 * `nowUnixMs`; otherwise the first reason against it. Nothing of the command is parsed before its signature holds.
 */
export async function openCommand(
  text: string,
  context: {
    readonly operators: Operators;
    readonly nodeName: string;
    readonly nowUnixMs: number;
    readonly signing: Pick<Signing, 'verify'>;
  },
): Promise<{ readonly command: Command } | Refusal> {
  const envelope = parseEnvelope(text);
  if ('refused' in envelope) return envelope;
  const publicKey = context.operators.get(envelope.operator);
  if (!publicKey) return refusal('OPERATOR_UNKNOWN', `operator ${envelope.operator} is not known here`);
  const signature = Buffer.from(envelope.signature, 'base64');
  const valid =
    signature.length === ML_DSA_65.signatureBytes &&
    (await context.signing.verify(publicKey, signedBytes(envelope.command), signature));
  if (!valid) return refusal('SIGNATURE_INVALID', 'the signature does not fit the command');
  const command = parseCommand(envelope.command);
  return 'refused' in command ? command : (fits(command, context) ?? { command });
}

function parseEnvelope(text: string): Envelope | Refusal {
  const document = parseJson(text);
  const parsed = envelopeSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  const unsigned =
    document !== null &&
    typeof document === 'object' &&
    'command' in document &&
    (!('signature' in document) || document.signature === '');
  return unsigned
    ? refusal('COMMAND_UNSIGNED', 'the command carries no signature')
    : refusal('ENVELOPE_MALFORMED', 'not a signed command');
}

function parseCommand(text: string): Command | Refusal {
  try {
    const parsed = commandSchema.safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    return refusal(
      'COMMAND_MALFORMED',
      `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'does not fit'}`,
    );
  } catch (error) {
    // The schema recurses into params, so that nesting can exhaust the stack.
    if (error instanceof RangeError) return refusal('COMMAND_MALFORMED', 'nested too deeply');
    throw error;
  }
}

function fits(
  command: Command,
  { nodeName, nowUnixMs }: { readonly nodeName: string; readonly nowUnixMs: number },
): Refusal | undefined {
  const { target_node, issued_at_unix_ms, expires_at_unix_ms } = command;
  if (target_node !== nodeName && target_node !== ANY_NODE) {
    return refusal('COMMAND_FOR_ANOTHER_NODE', `meant for ${target_node}, this is ${nodeName}`);
  }
  if (expires_at_unix_ms - issued_at_unix_ms > COMMAND_LIFETIME_MAX_MS) {
    return refusal('COMMAND_LIFETIME_TOO_LONG', `valid for longer than ${COMMAND_LIFETIME_MAX_MS} ms`);
  }
  if (expires_at_unix_ms <= nowUnixMs) {
    return refusal(
      'COMMAND_EXPIRED',
      `expired ${nowUnixMs - expires_at_unix_ms} ms ago by this host's clock`,
    );
  }
  if (issued_at_unix_ms > nowUnixMs + CLOCK_SKEW_MAX_MS) {
    const aheadMs = issued_at_unix_ms - nowUnixMs;
    return refusal('COMMAND_NOT_YET_VALID', `issued ${aheadMs} ms ahead of this host's clock`);
  }
  return undefined;
}

function signedBytes(command: string): Uint8Array {
  return Buffer.concat([DOMAIN, Buffer.from(command, 'utf8')]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema that follows says what is wrong with it
  }
}

function refusal(refused: RefusalCode, why: string): Refusal {
  return { refused, why };
}
