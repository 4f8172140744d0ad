import * as z from 'zod';
import { FaultError } from '../../kit/errors.ts';
import { isOwnTable, leaseOfTable } from './names.ts';
import type { LeaseKey } from './protocol.ts';

/** A table of ours as the kernel holds it. */
export interface OwnTable {
  readonly family: string;
  readonly name: string;
  /** Null for tables of other versions. */
  readonly lease: LeaseKey | null;
  readonly kind: 'cut' | 'shape' | 'unknown';
  /** Whether a packet can still meet one of its rules. */
  readonly inForce: boolean;
  readonly matchedPackets: number;
}

const inTable = { family: z.string(), table: z.string() };
const rulesetSchema = z.object({
  nftables: z.array(
    z.object({
      table: z.object({ family: z.string(), name: z.string() }).optional(),
      set: z.object({ ...inTable, elem: z.array(z.unknown()).optional() }).optional(),
      rule: z
        .object({
          ...inTable,
          chain: z.string(),
          expr: z.array(z.object({ counter: z.unknown().optional() })),
        })
        .optional(),
    }),
  ),
});
const counterSchema = z.object({ packets: z.int().min(0) });

/**
 * Reads `nft -j list ruleset` for tables of ours, of any run and version.
 * @throws FaultError `NFT_UNREADABLE`: what cannot be read must not look clean
 */
export function ownTables(json: string): readonly OwnTable[] {
  const objects = parseRuleset(json);
  return objects
    .flatMap(({ table }) => (table !== undefined && isOwnTable(table.name) ? [table] : []))
    .map(({ family, name }) => {
      const isHere = (at: { readonly family: string; readonly table: string }) =>
        at.family === family && at.table === name;
      const sets = objects.flatMap(({ set }) => (set !== undefined && isHere(set) ? [set] : []));
      const rules = objects.flatMap(({ rule }) => (rule !== undefined && isHere(rule) ? [rule] : []));
      return {
        family,
        name,
        lease: leaseOfTable(name),
        kind: kindOf(rules.map((rule) => rule.chain)),
        // Rules without any set match for ever: a layout of another version, or somebody's additions.
        inForce: sets.some((set) => (set.elem?.length ?? 0) > 0) || (sets.length === 0 && rules.length > 0),
        matchedPackets: rules.flatMap((rule) => rule.expr).reduce((sum, expr) => sum + packetsOf(expr), 0),
      };
    });
}

function parseRuleset(json: string): z.infer<typeof rulesetSchema>['nftables'] {
  try {
    return rulesetSchema.parse(JSON.parse(json)).nftables;
  } catch (cause) {
    throw new FaultError('NFT_UNREADABLE', 'nft -j list ruleset gave something that is not a ruleset', {
      cause,
    });
  }
}

function kindOf(chains: readonly string[]): OwnTable['kind'] {
  if (chains.length === 0) return 'unknown';
  if (chains.every((chain) => chain === 'arriving')) return 'cut';
  return chains.every((chain) => chain === 'leaving') ? 'shape' : 'unknown';
}

function packetsOf(expr: { readonly counter?: unknown }): number {
  const counter = counterSchema.safeParse(expr.counter);
  return counter.success ? counter.data.packets : 0;
}
