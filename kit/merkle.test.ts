import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MerkleTree, rootFromAuditPath } from './merkle.ts';

const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');

// The leaves and roots that the Certificate Transparency implementations of RFC 6962 test with.
const LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((text) => new Uint8Array(Buffer.from(text, 'hex')));
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

describe('Merkle tree', () => {
  it.each(ROOTS.map((root, size) => [size, root] as const))(
    'gives the known root of the first %i leaves',
    (size, root) => {
      expect(hex(new MerkleTree(LEAVES.slice(0, size)).root)).toBe(root);
    },
  );

  it('leads from every leaf of every small tree to its root, and from no other place', () => {
    for (let size = 1; size <= 70; size += 1) {
      const leaves = Array.from({ length: size }, (_, at) => Uint8Array.of(at));
      const tree = new MerkleTree(leaves);
      for (const [index, leaf] of leaves.entries()) {
        const path = tree.auditPath(index);
        expect(hex(rootFromAuditPath(leaf, { index, size, path }))).toBe(hex(tree.root));
        const elsewhere = rootFromAuditPath(leaf, { index: (index + 1) % size, size, path });
        if (size > 1) expect(hex(elsewhere)).not.toBe(hex(tree.root));
      }
    }
  });

  it('never leads to the root when a leaf, a sibling or the length of the path is changed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 64 }), fc.nat(), fc.nat(), (size, pick, flip) => {
        const leaves = Array.from({ length: size }, (_, at) => Uint8Array.of(at));
        const tree = new MerkleTree(leaves);
        const index = pick % size;
        const path = tree.auditPath(index);
        const leaf = leaves[index] ?? new Uint8Array(0);
        const changed = path.map((sibling, at) =>
          at === flip % path.length ? sibling.map((b) => b ^ 1) : sibling,
        );
        const root = hex(tree.root);
        expect(hex(rootFromAuditPath(leaf, { index, size, path: changed }))).not.toBe(root);
        expect(hex(rootFromAuditPath(Uint8Array.of(255), { index, size, path }))).not.toBe(root);
        expect(rootFromAuditPath(leaf, { index, size, path: path.slice(1) })).toBeUndefined();
        expect(rootFromAuditPath(leaf, { index, size, path: [...path, leaf] })).toBeUndefined();
        expect(rootFromAuditPath(leaf, { index: size, size, path })).toBeUndefined();
      }),
    );
  });

  it('refuses a path for a leaf that is not there', () => {
    expect(() => new MerkleTree(LEAVES).auditPath(8)).toThrow(RangeError);
  });
});
