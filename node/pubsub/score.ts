import type { PeerTally } from './peer-tally.ts';

const RECENCY_HORIZON_MS = 300_000;
/** A link that scores less is no candidate for the tree, and one of the tree that has failed may be replaced. */
export const ELIGIBLE_SCORE = 0.45;

/** The figures of a `peer_scores` row, each 0..1. */
export interface Score {
  readonly score: number;
  readonly iwantResponseRate: number;
  readonly recency: number;
  readonly sendHealth: number;
}

/**
 * How good a link is on a topic: (0.6 × IWANT response + 0.4 × recency) × (0.35 + 0.65 × send health), of tallies
 * whose half-life is 300 s. Formula and weights: saorsa-gossip.
 */
export function scoreOf(
  tally: PeerTally,
  asks: { readonly asked: number; readonly answered: number },
  nowMs: number,
): Score {
  const unasked = tally.lastDeliveryMs === null ? 0.5 : 0.8;
  const iwantResponseRate = asks.asked < 0.01 ? unasked : Math.min(1, asks.answered / asks.asked);
  const ageMs = tally.lastDeliveryMs === null ? RECENCY_HORIZON_MS : nowMs - tally.lastDeliveryMs;
  const recency = Math.max(0, 1 - ageMs / RECENCY_HORIZON_MS);
  const good = tally.confirmed.at(nowMs) + 2 * tally.recovered.at(nowMs);
  const bad = tally.unconfirmed.at(nowMs) + 3 * tally.cooled.at(nowMs) + 0.5 * tally.probed.at(nowMs);
  const sendHealth = (good + 1) / (good + bad + 1);
  const score = (0.6 * iwantResponseRate + 0.4 * recency) * (0.35 + 0.65 * sendHealth);
  return { score, iwantResponseRate, recency, sendHealth };
}
