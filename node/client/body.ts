import type * as z from 'zod';
import { messageOf } from '../../kit/errors.ts';
import { NodeError } from './errors.ts';
import { parseTolerantly } from './tolerant-parse.ts';

/**
 * Parses the text of a body. The error names the call, the field and what was expected.
 * @throws NodeError `NODE_BAD_BODY`
 */
export function parseBody<T>(call: string, text: string, schema: z.ZodType<T>): T {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    throw badBody(call, '(body)', `is not JSON: ${messageOf(cause)}`, cause);
  }
  const result = parseTolerantly(schema, body);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw badBody(
    call,
    issue?.path.map(String).join('.') || '(body)',
    issue?.message ?? 'does not fit',
    result.error,
  );
}

export function badBody(call: string, field: string, why: string, cause?: unknown): NodeError {
  return new NodeError('NODE_BAD_BODY', `${call} answered with a bad body: ${field}: ${why}`, {
    details: { call, field, why },
    cause,
  });
}
