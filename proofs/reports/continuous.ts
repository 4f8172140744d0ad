import { isSeen, mapSeen, type Observation } from '../observation.ts';
import type { Proof } from '../read-proof.ts';
import { type CounterGrowth, growthWithin, type NodeView, type SampleIndex } from './node-span.ts';

const COUNTERS = {
  dispatcherTimedOut: 'gossip.dispatcher.pubsub.timed_out',
  dispatcherCompleted: 'gossip.dispatcher.pubsub.completed',
  droppedFull: 'gossip.recv_pump.pubsub.dropped_full',
  perPeerTimeout: 'gossip.pubsub_stages.republish_per_peer_timeout',
} as const;

export type ContinuousGrowth = Readonly<Record<keyof typeof COUNTERS, Observation<number>>>;

/**
 * How each counter grew from the last sample of one window to the last of the next, on every node of the plan, so
 * that nothing between windows escapes. The first window counts from its own first sample.
 */
export interface ContinuousWindow {
  readonly window: number;
  readonly byNode: ReadonlyMap<string, ContinuousGrowth>;
  /** `node:pre`, `node:post`, `node:baseline` or `node:counter_reset`, as operators know them. */
  readonly gaps: readonly string[];
  /** The gaps that leave growth unknown. */
  readonly unaccounted: readonly string[];
  /** Nodes whose counters begin at 0 again after a declared restart, and what the old process counted last is lost of each. */
  readonly restarted: readonly { readonly node: string; readonly lostSecs: number }[];
}

function edges(window: number, node: string, proof: Proof, samples: SampleIndex) {
  const names = proof.plan.scenarios.map(({ name }) => name);
  const views = (phase: 'pre' | 'post') =>
    names.map((scenario) => samples.view(window, scenario, node, phase)).filter(hasGossip);
  return { first: views('pre').at(0), last: views('post').at(-1) };
}

function hasGossip(view: NodeView | undefined): view is NodeView {
  const gossip = view?.documents.gossip;
  return gossip !== undefined && isSeen(gossip);
}

export function continuousWindows(proof: Proof, samples: SampleIndex): readonly ContinuousWindow[] {
  const remembered = new Map<string, NodeView>();
  return Array.from({ length: proof.plan.windows.count }, (_, at): ContinuousWindow => {
    const window = at + 1;
    const gaps: string[] = [];
    const unaccounted: string[] = [];
    const restarted: { node: string; lostSecs: number }[] = [];
    const byNode = proof.plan.roster.map(({ name: node }): [string, ContinuousGrowth] => {
      const { first, last } = edges(window, node, proof, samples);
      const pre = remembered.get(node) ?? first;
      if (first === undefined) gaps.push(`${node}:pre`);
      if (last !== undefined) remembered.set(node, last);
      const alongs = growthBetween(samples, node, pre, last);
      const grown = mapGrowth(alongs, (one) => mapSeen(one, (along) => along.grown));
      const lost = alongs.dispatcherCompleted;
      if (isSeen(lost) && lost.seen.lostSecs !== null) restarted.push({ node, lostSecs: lost.seen.lostSecs });
      const tag = last === undefined ? 'post' : pre === undefined ? 'baseline' : gapTag(grown);
      if (tag !== undefined) {
        gaps.push(`${node}:${tag}`);
        unaccounted.push(`${node}:${tag}`);
      }
      return [node, grown];
    });
    return { window, byNode: new Map(byNode), gaps, unaccounted, restarted };
  });
}

function growthBetween(
  samples: SampleIndex,
  node: string,
  pre: NodeView | undefined,
  post: NodeView | undefined,
): Record<keyof typeof COUNTERS, Observation<CounterGrowth>> {
  const span = samples.spanOf(node, pre, post);
  return mapGrowth(COUNTERS, (path) => growthWithin(span, path));
}

function mapGrowth<T, U>(
  of: Readonly<Record<keyof typeof COUNTERS, T>>,
  change: (one: T) => U,
): Record<keyof typeof COUNTERS, U> {
  return {
    dispatcherTimedOut: change(of.dispatcherTimedOut),
    dispatcherCompleted: change(of.dispatcherCompleted),
    droppedFull: change(of.droppedFull),
    perPeerTimeout: change(of.perPeerTimeout),
  };
}

/** A counter that cannot be read across was reset; one that is not in the document leaves the window open. */
function gapTag(grown: ContinuousGrowth): 'counter_reset' | 'post' | undefined {
  const hidden = Object.values(grown).filter((figure) => !isSeen(figure));
  if (hidden.length === 0) return undefined;
  return hidden.some((figure) => !isSeen(figure) && figure.missing === 'unreadable')
    ? 'counter_reset'
    : 'post';
}
