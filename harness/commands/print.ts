import { codeOf, FaultError, messageOf } from '../../kit/errors.ts';

/** The reader has gone, which is its right: `meshproof proof show DIR | head`. */
const READER_GONE = ['EPIPE', 'ERR_STREAM_DESTROYED'];

/**
 * Writes what a command was asked for to stdout.
 * @throws FaultError `OUTPUT_FAILED` when it could not be written (a full disk), unless nobody reads it any more
 */
export async function print(text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (!error || isReaderGone(codeOf(error))) return resolve();
      reject(
        new FaultError('OUTPUT_FAILED', `cannot write to stdout: ${messageOf(error)}`, { cause: error }),
      );
    });
  });
}

/** A terminal that was closed answers EIO; from a file that means a disk that fails. */
function isReaderGone(code: string): boolean {
  return READER_GONE.includes(code) || (code === 'EIO' && process.stdout.isTTY);
}
