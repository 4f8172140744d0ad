import { hash } from 'node:crypto';

const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;
const HASH_BYTES = 32;

function leafHash(leaf: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + leaf.length);
  input[0] = LEAF_PREFIX;
  input.set(leaf, 1);
  return hash('sha256', input, 'buffer');
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + 2 * HASH_BYTES);
  input[0] = NODE_PREFIX;
  input.set(left, 1);
  input.set(right, 1 + HASH_BYTES);
  return hash('sha256', input, 'buffer');
}

/**
 * The Merkle tree hash of RFC 6962 section 2.1 (SHA-256, prefix 0x00 before leaves and 0x01 before nodes) over
 * `leaves` in order. Pairing level by level and carrying an odd last node up gives the same tree as the RFC's split
 * at the largest power of two. The root of no leaves is SHA-256 of nothing.
 */
export class MerkleTree {
  readonly root: Uint8Array;
  readonly size: number;
  readonly #levels: readonly (readonly Uint8Array[])[];

  constructor(leaves: readonly Uint8Array[]) {
    this.size = leaves.length;
    const levels: Uint8Array[][] = [leaves.map(leafHash)];
    for (let level = levels[0] ?? []; level.length > 1; ) {
      const above: Uint8Array[] = [];
      for (let at = 0; at < level.length; at += 2) {
        const [left, right] = [level[at], level[at + 1]];
        if (left) above.push(right ? nodeHash(left, right) : left);
      }
      levels.push(above);
      level = above;
    }
    this.#levels = levels;
    this.root = levels.at(-1)?.[0] ?? hash('sha256', new Uint8Array(0), 'buffer');
  }

  /**
   * The audit path (RFC 6962 section 2.1.1) of leaf `index`, nearest sibling first; empty for a tree of one leaf.
   * @throws RangeError when there is no such leaf
   */
  auditPath(index: number): readonly Uint8Array[] {
    if (!Number.isInteger(index) || index < 0 || index >= this.size) {
      throw new RangeError(`no leaf ${index} in a tree of ${this.size}`);
    }
    const path: Uint8Array[] = [];
    let at = index;
    for (const level of this.#levels) {
      const sibling = level[at ^ 1];
      if (sibling) path.push(sibling);
      at >>= 1;
    }
    return path;
  }
}

/**
 * The root that `path` leads to from `leaf` at `index` of a tree of `size` leaves (RFC 9162 section 2.1.3.2), or
 * `undefined` when the path has the wrong length for that place. The caller compares or verifies the root.
 */
export function rootFromAuditPath(
  leaf: Uint8Array,
  {
    index,
    size,
    path,
  }: { readonly index: number; readonly size: number; readonly path: readonly Uint8Array[] },
): Uint8Array | undefined {
  if (index >= size) return undefined;
  let at = index;
  let last = size - 1;
  let root = leafHash(leaf);
  for (const sibling of path) {
    if (last === 0) return undefined;
    if (at % 2 === 1 || at === last) {
      root = nodeHash(sibling, root);
      while (at % 2 === 0 && at !== 0) {
        at = Math.floor(at / 2);
        last = Math.floor(last / 2);
      }
    } else {
      root = nodeHash(root, sibling);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? root : undefined;
}
