import { UsageError } from '../../../kit/errors.ts';
import { allDirectedPairs } from '../../../proofs/plan-schema.ts';
import type { PlannedLinks } from '../../../proofs/planned-links.ts';
import {
  figuresFromWire,
  figuresToWire,
  type LinkFigures,
  UNTOUCHED,
  wireFigures,
} from '../link-agent/link-figures.ts';
import type { FileFigures, LinkFile } from './link-file.ts';

/** The links of one mesh: what a file of links means for its nodes. */
export interface LinkPlan {
  /** As the operator named it. */
  readonly name: string;
  /** The place of each node; nodes of a plan without places have none. */
  readonly regions: ReadonlyMap<string, string>;
  /** What the link does without faults; a link that the plan does not speak of does nothing. */
  figuresOf(from: string, to: string): LinkFigures;
}

/**
 * Applies a file of links to nodes. Nodes that are all named like places are there; otherwise they take the places in
 * order, beginning again at the first when there are more nodes. A file without places speaks of nodes by their names.
 * @throws UsageError `LINKS_UNKNOWN_NAME`, `LINKS_TWICE`, `LINKS_MISSING`, naming the file and the link
 */
export function planLinks(
  file: LinkFile,
  { name, source, nodes }: { name: string; source: string; nodes: readonly string[] },
): LinkPlan {
  const places = file.place.map((place) => place.name);
  const regions = placeNodes(nodes, places);
  const placeOf = (node: string) => regions.get(node) ?? node;
  const named = namedLinks(file, source, places.length > 0 ? places : nodes);
  const figuresOf = (from: string, to: string): LinkFigures | undefined => {
    const [a, b] = [placeOf(from), placeOf(to)];
    if (a === b) return asFigures(file.same_place ?? file.default ?? {});
    return named.get(edgeKey(a, b)) ?? (file.default && asFigures(file.default));
  };
  for (const from of nodes) {
    const to = nodes.find((other) => other !== from && figuresOf(from, other) === undefined);
    if (to !== undefined) {
      throw new UsageError(
        'LINKS_MISSING',
        `${source}: no [[link]] from ${placeOf(from)} to ${placeOf(to)}, and no [default]`,
        { details: { file: source, from: placeOf(from), to: placeOf(to) } },
      );
    }
  }
  return { name, regions, figuresOf: (from, to) => figuresOf(from, to) ?? asFigures({}) };
}

/** The links between `nodes` as the plan of a run seals them. */
export function sealedLinks({ name, figuresOf }: LinkPlan, nodes: readonly string[]): PlannedLinks {
  const groups = Map.groupBy(allDirectedPairs(nodes), ([from, to]) =>
    JSON.stringify(figuresToWire(figuresOf(from, to))),
  );
  return {
    format: 'meshproof.planned-links.v1',
    name,
    groups: [...groups].map(([figures, edges]) => ({
      figures: wireFigures.parse(JSON.parse(figures)),
      edges,
    })),
  };
}

function placeNodes(nodes: readonly string[], places: readonly string[]): ReadonlyMap<string, string> {
  if (places.length === 0) return new Map();
  if (nodes.every((node) => places.includes(node))) return new Map(nodes.map((node) => [node, node]));
  return new Map(nodes.map((node, index) => [node, places[index % places.length] ?? node]));
}

/** The figures of every direction that a `[[link]]` speaks of. */
function namedLinks(
  file: LinkFile,
  source: string,
  known: readonly string[],
): ReadonlyMap<string, LinkFigures> {
  const named = new Map<string, LinkFigures>();
  for (const [index, { between, from, to, ...figures }] of file.link.entries()) {
    const ends = between ?? [from ?? '', to ?? ''];
    const stranger = ends.find((end) => !known.includes(end));
    if (stranger !== undefined) {
      throw new UsageError(
        'LINKS_UNKNOWN_NAME',
        `${source}: link.${index}: "${stranger}" is not one of ${known.join(', ')}`,
        { details: { file: source, field: `link.${index}`, known } },
      );
    }
    const directions = between ? [ends, ends.toReversed()] : [ends];
    for (const [a = '', b = ''] of directions) {
      if (a === b || named.has(edgeKey(a, b))) {
        const why = a === b ? `joins ${a} with itself` : `${a} to ${b} is given twice`;
        throw new UsageError('LINKS_TWICE', `${source}: link.${index}: ${why}`, {
          details: { file: source, field: `link.${index}` },
        });
      }
      named.set(edgeKey(a, b), asFigures(figures));
    }
  }
  return named;
}

function asFigures({ rtt_ms, latency_ms, ...rest }: Partial<FileFigures>): LinkFigures {
  return figuresFromWire({
    ...figuresToWire(UNTOUCHED),
    ...rest,
    latency_ms: latency_ms ?? (rtt_ms ?? 0) / 2,
  });
}

function edgeKey(from: string, to: string): string {
  return `${from} ${to}`; // names have no spaces
}
