import { parse, TomlError } from 'smol-toml';
import type * as z from 'zod';
import { UsageError } from './errors.ts';

/**
 * Parses TOML `text` from `source` (a path for messages) against `schema`. The error names the file, the line or the
 * key, the value found and what was expected.
 * @throws UsageError `TOML_SYNTAX` or `TOML_VALUE`
 */
export function parseToml<S extends z.ZodType>(text: string, source: string, schema: S): z.infer<S> {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const why = error.message.split('\n')[0]?.replace('Invalid TOML document: ', '') ?? 'not TOML';
    throw new UsageError('TOML_SYNTAX', `${source}:${error.line}:${error.column}: ${why}`, {
      details: { file: source, line: error.line, column: error.column },
      cause: error,
    });
  }
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  throw schemaError(source, document, result.error);
}

/** The first issue of a failed parse as one line: file, field, value, expectation. */
export function schemaError(source: string, document: unknown, error: z.ZodError): UsageError {
  const issue = error.issues[0];
  const path = issue?.path ?? [];
  const unknownKeys = issue?.code === 'unrecognized_keys' ? issue.keys : [];
  const field = [...path, ...unknownKeys.slice(0, 1)].map(String).join('.') || '(top level)';
  const value = path.reduce<unknown>(
    (at, key) =>
      at !== null && typeof at === 'object' ? (at as Record<PropertyKey, unknown>)[key] : undefined,
    document,
  );
  const found = unknownKeys.length > 0 ? '' : ` is ${JSON.stringify(value) ?? 'missing'}`;
  const expectation = unknownKeys.length > 0 ? 'is not a known key' : (issue?.message ?? 'does not fit');
  return new UsageError('TOML_VALUE', `${source}: ${field}${found}: ${expectation}`, {
    details: { file: source, field, expected: expectation },
    cause: error,
  });
}
