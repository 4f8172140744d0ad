import { sha256Hex } from '../kit/hash.ts';

const KEPT = /[A-Za-z0-9_-]/;
const MAX_NAME_CHARS = 80; // the whole file name must stay under the 255 bytes of common file systems

/**
 * A name as one path segment: letters, digits, `_`, `-` and inner dots stay, every other UTF-8 byte becomes `%XX`, so
 * that two names never share a segment and none can climb out of its directory. Long names end in a digest instead.
 */
export function pathSegment(name: string): string {
  const bytes = Buffer.from(name, 'utf8');
  const encoded = [...bytes.toString('latin1')]
    .map((char, at) => {
      const isInnerDot = char === '.' && at > 0 && at < bytes.length - 1;
      return KEPT.test(char) || isInnerDot
        ? char
        : `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
  if (encoded === '') return '%';
  if (encoded.length <= MAX_NAME_CHARS) return encoded;
  return `${encoded.slice(0, MAX_NAME_CHARS - 18)}%-${sha256Hex(name).slice(0, 16)}`;
}

/** Whether a path that a record names stays inside the proof directory. */
export function isInsideProof(file: string): boolean {
  if (file === '' || file.includes('\\') || file.includes('\0')) return false;
  return file.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}
