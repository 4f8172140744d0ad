import { type CacheLimits, DEFAULT_CACHE_LIMITS } from './message-cache.ts';
import { MAX_SEEN } from './seen-ids.ts';

/** Bounds of the gossip core; the counts and times of the defaults are those of saorsa-gossip's node, but for the trees. */
export interface PlumTreeLimits {
  readonly cache: CacheLimits;
  readonly maxSeen: number;
  readonly maxTopics: number;
  /** Trees of single origins, over all topics. */
  readonly maxTrees: number;
  /** For topics and trees. */
  readonly topicIdleTtlMs: number;
}

export const DEFAULT_PLUMTREE_LIMITS: PlumTreeLimits = {
  cache: DEFAULT_CACHE_LIMITS,
  maxSeen: MAX_SEEN,
  maxTopics: 4_096,
  maxTrees: 1_024,
  topicIdleTtlMs: 600_000,
};
