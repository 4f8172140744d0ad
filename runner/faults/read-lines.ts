import type { Readable } from 'node:stream';
import { UsageError } from '../../kit/errors.ts';

/** A request with a thousand IPv6 peers has some 50 KiB. */
export const REQUEST_BYTES_MAX = 256 * 1024;

/**
 * The lines of a stream, without their ends; a last line without an end is torn and left out.
 * @throws UsageError `REQUEST_TOO_LARGE`
 */
export async function* readLines(input: Readable): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for await (const chunk of input) {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      yield rest.subarray(0, end).toString('utf8');
      rest = rest.subarray(end + 1);
    }
    if (rest.length > REQUEST_BYTES_MAX) throw tooLarge();
  }
}

/** All of a stream. @throws UsageError `REQUEST_TOO_LARGE` */
export async function readAll(input: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    bytes += chunk.length;
    if (bytes > REQUEST_BYTES_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function tooLarge(): UsageError {
  return new UsageError('REQUEST_TOO_LARGE', `a request has at most ${REQUEST_BYTES_MAX} bytes`);
}
