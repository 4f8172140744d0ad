import { stripVTControlCharacters } from 'node:util';

/** One line of text that only shows: what came from a node must not move a cursor, colour a screen or end a line. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
  return stripVTControlCharacters(text).replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, ' ');
}
